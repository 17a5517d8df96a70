//go:build !purego

package matrix

// fourAVX2 multiplies four rows of n numbers by a panel of n × 16. It needs a processor with AVX2 and FMA.
//
//go:noescape
func fourAVX2(panel, a, b, c, d *float32, n int, sums *[4][lanes]float32)

// oneAVX2 multiplies one row of n numbers by four panels that begin step bytes apart.
//
//go:noescape
func oneAVX2(panels, a *float32, n, step int, sums *[4][lanes]float32)

func cpuid(leaf, subleaf uint32) (a, b, c, d uint32)

func xgetbv() (low, high uint32)

var hasAVX2 = func() bool {
	if highest, _, _, _ := cpuid(0, 0); highest < 7 {
		return false
	}
	_, _, c1, _ := cpuid(1, 0)
	_, b7, _, _ := cpuid(7, 0)
	const fma, osxsave, avx, avx2 = 1 << 12, 1 << 27, 1 << 28, 1 << 5
	if c1&fma == 0 || c1&osxsave == 0 || c1&avx == 0 || b7&avx2 == 0 {
		return false
	}
	low, _ := xgetbv()
	return low&6 == 6 // the system keeps the wide registers
}()

func one(panels, a []float32, sums *[4][lanes]float32) {
	if !hasAVX2 || len(a) == 0 {
		onePlain(panels, a, sums)
		return
	}
	oneAVX2(&panels[0], &a[0], len(a), len(a)*lanes*4, sums)
}

func four(panel, a, b, c, d []float32, sums *[4][lanes]float32) {
	if !hasAVX2 || len(a) == 0 {
		fourPlain(panel, a, b, c, d, sums)
		return
	}
	fourAVX2(&panel[0], &a[0], &b[0], &c[0], &d[0], len(a), sums)
}
