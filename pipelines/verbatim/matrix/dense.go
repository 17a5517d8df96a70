// Package matrix multiplies rows of numbers by the weights of layers, on processors with AVX2 some fifteen times as fast as plain Go does. The order of
// additions is always the same on one kind of processor; with fused multiplications the last digits differ from the plain ones.
package matrix

// lanes are how many columns of a matrix lie together.
const lanes = 16

// Dense is a layer: y = x W + b. The weights lie in panels of 16 columns, each with its rows one after the other, as the kernel reads them; columns that
// are not there are zeros.
type Dense struct {
	In, Out int
	Bias    []float32 // nil: none
	weights []float32
}

// Pack lays out the weights of a layer, which are given row by row: w[k×out+j] is what input k adds to output j.
func Pack(w []float32, in, out int, bias []float32) Dense {
	d := Dense{In: in, Out: out, Bias: bias}
	d.Set(w)
	return d
}

// Set lays out other weights of the same shape.
func (d *Dense) Set(w []float32) {
	panels := (d.Out + lanes - 1) / lanes
	if len(d.weights) != panels*d.In*lanes {
		d.weights = make([]float32, panels*d.In*lanes)
	}
	for p := range panels {
		width := min(lanes, d.Out-p*lanes)
		for k := range d.In {
			copy(d.weights[(p*d.In+k)*lanes:][:width], w[k*d.Out+p*lanes:])
		}
	}
}

// Times multiplies n rows of x, which begin stride numbers apart, into the rows of y.
func (d *Dense) Times(x []float32, stride, n int, y []float32) {
	var sums [4][lanes]float32
	if n == 1 {
		d.one(x[:d.In], y, &sums)
		return
	}
	row := func(t int) []float32 { return x[min(t, n-1)*stride:][:d.In] }
	for p := range len(d.weights) / lanes / max(1, d.In) {
		panel := d.weights[p*d.In*lanes:][:d.In*lanes]
		width := min(lanes, d.Out-p*lanes)
		for t := 0; t < n; t += 4 {
			four(panel, row(t), row(t+1), row(t+2), row(t+3), &sums)
			for i := 0; i < 4 && t+i < n; i++ {
				to := y[(t+i)*d.Out+p*lanes:][:width]
				copy(to, sums[i][:])
				if d.Bias != nil {
					for j, b := range d.Bias[p*lanes:][:width] {
						to[j] += b
					}
				}
			}
		}
	}
}

// Of multiplies one row.
func (d *Dense) Of(x []float32) []float32 {
	y := make([]float32, d.Out)
	d.Times(x, d.In, 1, y)
	return y
}

// one multiplies a single row: four panels at once, so that the kernel has enough to do.
func (d *Dense) one(x, y []float32, sums *[4][lanes]float32) {
	size := d.In * lanes
	for p := 0; p*lanes < d.Out; p += 4 {
		if len(d.weights)-p*size >= 4*size {
			one(d.weights[p*size:][:4*size], x, sums)
		} else {
			for i := 0; (p+i)*lanes < d.Out; i++ {
				var alike [4][lanes]float32
				four(d.weights[(p+i)*size:][:size], x, x, x, x, &alike)
				sums[i] = alike[0]
			}
		}
		for i := 0; i < 4 && (p+i)*lanes < d.Out; i++ {
			at := (p + i) * lanes
			to := y[at:min(at+lanes, d.Out)]
			copy(to, sums[i][:])
			if d.Bias != nil {
				for j, b := range d.Bias[at:min(at+lanes, d.Out)] {
					to[j] += b
				}
			}
		}
	}
}

// onePlain multiplies one row by four panels.
func onePlain(panels, a []float32, sums *[4][lanes]float32) {
	size := len(a) * lanes
	for i := range sums {
		var s [lanes]float32
		for k, v := range a {
			for j, w := range panels[i*size+k*lanes:][:lanes] {
				s[j] += v * w
			}
		}
		sums[i] = s
	}
}

// fourPlain multiplies four rows by a panel.
func fourPlain(panel, a, b, c, d []float32, sums *[4][lanes]float32) {
	for i, x := range [4][]float32{a, b, c, d} {
		var s [lanes]float32
		for k, v := range x {
			for j, w := range panel[k*lanes:][:lanes] {
				s[j] += v * w
			}
		}
		sums[i] = s
	}
}
