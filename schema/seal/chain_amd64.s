//go:build !purego

#include "textflag.h"

// The first state of SHA-256, as SHA256RNDS2 wants it: F E B A, then H G D C, lowest lane first.
DATA first<>+0(SB)/4, $0x9b05688c
DATA first<>+4(SB)/4, $0x510e527f
DATA first<>+8(SB)/4, $0xbb67ae85
DATA first<>+12(SB)/4, $0x6a09e667
DATA first<>+16(SB)/4, $0x5be0cd19
DATA first<>+20(SB)/4, $0x1f83d9ab
DATA first<>+24(SB)/4, $0xa54ff53a
DATA first<>+28(SB)/4, $0x3c6ef372
GLOBL first<>(SB), RODATA|NOPTR, $32

// The last four words of every message: 34 bytes are 272 bits.
DATA tail<>+0(SB)/8, $0
DATA tail<>+8(SB)/8, $0x0000011000000000
GLOBL tail<>(SB), RODATA|NOPTR, $16

// Turns the bytes of four words around.
DATA flip<>+0(SB)/8, $0x0405060700010203
DATA flip<>+8(SB)/8, $0x0c0d0e0f08090a0b
GLOBL flip<>(SB), RODATA|NOPTR, $16

DATA rounds<>+0(SB)/4, $0x428a2f98
DATA rounds<>+4(SB)/4, $0x71374491
DATA rounds<>+8(SB)/4, $0xb5c0fbcf
DATA rounds<>+12(SB)/4, $0xe9b5dba5
DATA rounds<>+16(SB)/4, $0x3956c25b
DATA rounds<>+20(SB)/4, $0x59f111f1
DATA rounds<>+24(SB)/4, $0x923f82a4
DATA rounds<>+28(SB)/4, $0xab1c5ed5
DATA rounds<>+32(SB)/4, $0xd807aa98
DATA rounds<>+36(SB)/4, $0x12835b01
DATA rounds<>+40(SB)/4, $0x243185be
DATA rounds<>+44(SB)/4, $0x550c7dc3
DATA rounds<>+48(SB)/4, $0x72be5d74
DATA rounds<>+52(SB)/4, $0x80deb1fe
DATA rounds<>+56(SB)/4, $0x9bdc06a7
DATA rounds<>+60(SB)/4, $0xc19bf174
DATA rounds<>+64(SB)/4, $0xe49b69c1
DATA rounds<>+68(SB)/4, $0xefbe4786
DATA rounds<>+72(SB)/4, $0x0fc19dc6
DATA rounds<>+76(SB)/4, $0x240ca1cc
DATA rounds<>+80(SB)/4, $0x2de92c6f
DATA rounds<>+84(SB)/4, $0x4a7484aa
DATA rounds<>+88(SB)/4, $0x5cb0a9dc
DATA rounds<>+92(SB)/4, $0x76f988da
DATA rounds<>+96(SB)/4, $0x983e5152
DATA rounds<>+100(SB)/4, $0xa831c66d
DATA rounds<>+104(SB)/4, $0xb00327c8
DATA rounds<>+108(SB)/4, $0xbf597fc7
DATA rounds<>+112(SB)/4, $0xc6e00bf3
DATA rounds<>+116(SB)/4, $0xd5a79147
DATA rounds<>+120(SB)/4, $0x06ca6351
DATA rounds<>+124(SB)/4, $0x14292967
DATA rounds<>+128(SB)/4, $0x27b70a85
DATA rounds<>+132(SB)/4, $0x2e1b2138
DATA rounds<>+136(SB)/4, $0x4d2c6dfc
DATA rounds<>+140(SB)/4, $0x53380d13
DATA rounds<>+144(SB)/4, $0x650a7354
DATA rounds<>+148(SB)/4, $0x766a0abb
DATA rounds<>+152(SB)/4, $0x81c2c92e
DATA rounds<>+156(SB)/4, $0x92722c85
DATA rounds<>+160(SB)/4, $0xa2bfe8a1
DATA rounds<>+164(SB)/4, $0xa81a664b
DATA rounds<>+168(SB)/4, $0xc24b8b70
DATA rounds<>+172(SB)/4, $0xc76c51a3
DATA rounds<>+176(SB)/4, $0xd192e819
DATA rounds<>+180(SB)/4, $0xd6990624
DATA rounds<>+184(SB)/4, $0xf40e3585
DATA rounds<>+188(SB)/4, $0x106aa070
DATA rounds<>+192(SB)/4, $0x19a4c116
DATA rounds<>+196(SB)/4, $0x1e376c08
DATA rounds<>+200(SB)/4, $0x2748774c
DATA rounds<>+204(SB)/4, $0x34b0bcb5
DATA rounds<>+208(SB)/4, $0x391c0cb3
DATA rounds<>+212(SB)/4, $0x4ed8aa4a
DATA rounds<>+216(SB)/4, $0x5b9cca4f
DATA rounds<>+220(SB)/4, $0x682e6ff3
DATA rounds<>+224(SB)/4, $0x748f82ee
DATA rounds<>+228(SB)/4, $0x78a5636f
DATA rounds<>+232(SB)/4, $0x84c87814
DATA rounds<>+236(SB)/4, $0x8cc70208
DATA rounds<>+240(SB)/4, $0x90befffa
DATA rounds<>+244(SB)/4, $0xa4506ceb
DATA rounds<>+248(SB)/4, $0xbef9a3f7
DATA rounds<>+252(SB)/4, $0xc67178f2
GLOBL rounds<>(SB), RODATA|NOPTR, $256

// Four rounds on the state in X1 (A B E F) and X2 (C D G H) with the message words in m.
#define ROUNDS(offset, m) \
	MOVOU offset(AX), X0; \
	PADDD m, X0; \
	SHA256RNDS2 X0, X1, X2; \
	PSHUFD $0x0e, X0, X0; \
	SHA256RNDS2 X0, X2, X1

// The second half of the four message words that replace next, from the eight before them.
#define SCHEDULE(before, last, next) \
	MOVO last, X7; \
	PALIGNR $4, before, X7; \
	PADDD X7, next; \
	SHA256MSG2 last, next

// func chainSHANI(node *Key, path uint64, steps int, lastDomain uint32)
// The node stays in X3 and X4 from step to step, as the first eight words of the next message.
TEXT ·chainSHANI(SB), NOSPLIT, $0-28
	MOVQ node+0(FP), DI
	MOVQ path+8(FP), SI
	MOVQ steps+16(FP), CX
	MOVL lastDomain+24(FP), DX
	LEAQ rounds<>(SB), AX
	MOVOU first<>+0(SB), X8
	MOVOU first<>+16(SB), X9
	MOVOU tail<>(SB), X10
	MOVOU flip<>(SB), X11
	MOVOU (DI), X3
	MOVOU 16(DI), X4
	PSHUFB X11, X3
	PSHUFB X11, X4

step:
	// Word 8: domain, child, the padding's 0x80, 0. Words 9 to 11 are 0.
	MOVL $1, BX
	CMPQ CX, $1
	JNE  inner
	MOVL DX, BX
inner:
	SHLL $24, BX
	ROLQ $2, SI
	MOVL SI, R8
	ANDL $3, R8
	SHLL $16, R8
	ORL  R8, BX
	ORL  $0x8000, BX
	MOVQ BX, X5
	MOVO X10, X6
	MOVO X8, X1
	MOVO X9, X2

	ROUNDS(0, X3)
	ROUNDS(16, X4)
	SHA256MSG1 X4, X3
	ROUNDS(32, X5)
	SHA256MSG1 X5, X4
	ROUNDS(48, X6)
	SCHEDULE(X5, X6, X3)
	SHA256MSG1 X6, X5
	ROUNDS(64, X3)
	SCHEDULE(X6, X3, X4)
	SHA256MSG1 X3, X6
	ROUNDS(80, X4)
	SCHEDULE(X3, X4, X5)
	SHA256MSG1 X4, X3
	ROUNDS(96, X5)
	SCHEDULE(X4, X5, X6)
	SHA256MSG1 X5, X4
	ROUNDS(112, X6)
	SCHEDULE(X5, X6, X3)
	SHA256MSG1 X6, X5
	ROUNDS(128, X3)
	SCHEDULE(X6, X3, X4)
	SHA256MSG1 X3, X6
	ROUNDS(144, X4)
	SCHEDULE(X3, X4, X5)
	SHA256MSG1 X4, X3
	ROUNDS(160, X5)
	SCHEDULE(X4, X5, X6)
	SHA256MSG1 X5, X4
	ROUNDS(176, X6)
	SCHEDULE(X5, X6, X3)
	SHA256MSG1 X6, X5
	ROUNDS(192, X3)
	SCHEDULE(X6, X3, X4)
	SHA256MSG1 X3, X6
	ROUNDS(208, X4)
	SCHEDULE(X3, X4, X5)
	ROUNDS(224, X5)
	SCHEDULE(X4, X5, X6)
	ROUNDS(240, X6)

	PADDD X8, X1
	PADDD X9, X2

	// F E B A and H G D C become A B C D and E F G H.
	PSHUFD     $0x1b, X1, X3
	PSHUFD     $0x1b, X2, X5
	MOVO       X3, X4
	PUNPCKLQDQ X5, X3
	PUNPCKHQDQ X5, X4

	DECQ CX
	JNZ  step

	PSHUFB X11, X3
	PSHUFB X11, X4
	MOVOU  X3, (DI)
	MOVOU  X4, 16(DI)
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
