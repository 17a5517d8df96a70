//go:build !amd64 || purego

package matrix

func one(panels, a []float32, sums *[4][lanes]float32) { onePlain(panels, a, sums) }

func four(panel, a, b, c, d []float32, sums *[4][lanes]float32) { fourPlain(panel, a, b, c, d, sums) }
