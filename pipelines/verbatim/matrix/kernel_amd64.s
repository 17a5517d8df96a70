//go:build !purego

#include "textflag.h"

// func fourAVX2(panel, a, b, c, d *float32, n int, sums *[4][16]float32)
// Two registers hold the 16 sums of each row; a step broadcasts one number of each row and multiplies it by one row of the panel.
TEXT ·fourAVX2(SB), NOSPLIT, $0-56
	MOVQ panel+0(FP), AX
	MOVQ a+8(FP), BX
	MOVQ b+16(FP), CX
	MOVQ c+24(FP), DX
	MOVQ d+32(FP), SI
	MOVQ n+40(FP), DI
	MOVQ sums+48(FP), R8
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	XORQ R9, R9
step:
	VMOVUPS (AX), Y8
	VMOVUPS 32(AX), Y9
	VBROADCASTSS (BX)(R9*4), Y10
	VBROADCASTSS (CX)(R9*4), Y11
	VBROADCASTSS (DX)(R9*4), Y12
	VBROADCASTSS (SI)(R9*4), Y13
	VFMADD231PS Y8, Y10, Y0
	VFMADD231PS Y9, Y10, Y1
	VFMADD231PS Y8, Y11, Y2
	VFMADD231PS Y9, Y11, Y3
	VFMADD231PS Y8, Y12, Y4
	VFMADD231PS Y9, Y12, Y5
	VFMADD231PS Y8, Y13, Y6
	VFMADD231PS Y9, Y13, Y7
	ADDQ $64, AX
	INCQ R9
	CMPQ R9, DI
	JLT step
	VMOVUPS Y0, (R8)
	VMOVUPS Y1, 32(R8)
	VMOVUPS Y2, 64(R8)
	VMOVUPS Y3, 96(R8)
	VMOVUPS Y4, 128(R8)
	VMOVUPS Y5, 160(R8)
	VMOVUPS Y6, 192(R8)
	VMOVUPS Y7, 224(R8)
	VZEROUPPER
	RET

// func oneAVX2(panels, a *float32, n, step int, sums *[4][16]float32)
// One row by four panels, which begin step bytes apart: eight registers hold the 64 sums.
TEXT ·oneAVX2(SB), NOSPLIT, $0-40
	MOVQ panels+0(FP), AX
	MOVQ a+8(FP), BX
	MOVQ n+16(FP), DI
	MOVQ step+24(FP), DX
	MOVQ sums+32(FP), R8
	LEAQ (AX)(DX*1), R10
	LEAQ (R10)(DX*1), R11
	LEAQ (R11)(DX*1), R12
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	XORQ R9, R9
	XORQ CX, CX
next:
	VBROADCASTSS (BX)(R9*4), Y8
	VFMADD231PS (AX)(CX*1), Y8, Y0
	VFMADD231PS 32(AX)(CX*1), Y8, Y1
	VFMADD231PS (R10)(CX*1), Y8, Y2
	VFMADD231PS 32(R10)(CX*1), Y8, Y3
	VFMADD231PS (R11)(CX*1), Y8, Y4
	VFMADD231PS 32(R11)(CX*1), Y8, Y5
	VFMADD231PS (R12)(CX*1), Y8, Y6
	VFMADD231PS 32(R12)(CX*1), Y8, Y7
	ADDQ $64, CX
	INCQ R9
	CMPQ R9, DI
	JLT next
	VMOVUPS Y0, (R8)
	VMOVUPS Y1, 32(R8)
	VMOVUPS Y2, 64(R8)
	VMOVUPS Y3, 96(R8)
	VMOVUPS Y4, 128(R8)
	VMOVUPS Y5, 160(R8)
	VMOVUPS Y6, 192(R8)
	VMOVUPS Y7, 224(R8)
	VZEROUPPER
	RET

// func cpuid(leaf, subleaf uint32) (a, b, c, d uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL subleaf+4(FP), CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	MOVL DX, d+20(FP)
	RET

// func xgetbv() (low, high uint32)
TEXT ·xgetbv(SB), NOSPLIT, $0-8
	XORL CX, CX
	XGETBV
	MOVL AX, low+0(FP)
	MOVL DX, high+4(FP)
	RET
