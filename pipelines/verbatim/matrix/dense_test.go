package matrix

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A product is what its definition says, whatever the shape, by the kernel as by the plain one.
func TestTimes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][3]int{{1, 1, 1}, {3, 5, 2}, {37, 16, 4}, {64, 17, 5}, {512, 33, 7}, {40, 64, 1}, {7, 100, 3}, {13, 192, 1}} {
		in, out, n := shape[0], shape[1], shape[2]
		w, x, bias := make([]float32, in*out), make([]float32, n*in), make([]float32, out)
		for _, list := range [][]float32{w, x, bias} {
			for i := range list {
				list[i] = float32(r.NormFloat64())
			}
		}
		d := Pack(w, in, out, bias)
		y := make([]float32, n*out)
		d.Times(x, in, n, y)
		for i := range n {
			for j := range out {
				want := float64(bias[j])
				for k := range in {
					want += float64(x[i*in+k]) * float64(w[k*out+j])
				}
				if got := float64(y[i*out+j]); math.Abs(got-want) > 1e-3*(1+math.Abs(want)) {
					t.Fatalf("%v: row %d, column %d is %f, want %f", shape, i, j, got, want)
				}
			}
		}
		for j, v := range d.Of(x[:in]) { // a row is the same alone and among others
			if v != y[j] {
				t.Fatalf("%v: column %d of one row is %f alone, %f among others", shape, j, v, y[j])
			}
		}
	}
	var got, want [4][lanes]float32
	panel, row := make([]float32, 37*lanes), make([]float32, 37)
	for i := range panel {
		panel[i] = float32(i%13) - 6
	}
	for i := range row {
		row[i] = float32(i%11)/4 - 1
	}
	four(panel, row, row, row, row, &got)
	fourPlain(panel, row, row, row, row, &want)
	for i := range got {
		for j := range got[i] {
			if math.Abs(float64(got[i][j]-want[i][j])) > 1e-3 {
				t.Errorf("the kernel gives %f, the plain one %f", got[i][j], want[i][j])
			}
		}
	}
}
