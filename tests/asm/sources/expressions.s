	.data
	.long 1+2*3, (1+2)*3, 7/2, -7/2, 7%3, -7%3, 1<<4, 256>>2, -1>>60, 6&3, 6|1, 6^3, 6!1, ~0, !0, !5
	.long 1==1, 1!=1, 1<>2, 1<2, 2<=2, 3>4, 4>=4, 1&&0, 1||0
	.long 1+2<<3, 1|2&3, 2*3+4*5-6, -2*-3, 1 - -1, 3-2-1
	.quad 0xffffffffffffffff, 1<<63, 18446744073709551615
	.long b-a, (b-a)*2, (b-a)/2, c-a
a: .byte 1,2,3
b: nop
	.text
c1: jmp d
	nop
d: .skip 200
	jmp c1
e: .long e-e
1: jmp 1b
	jmp 1f
	jmp 2f
1: nop
2: jmp 1b
	.data
c: .long 'a, 'b+1, '\''
	.long 1b-2b
	.quad 0x80000000+0x80000000
	.long . - a, $ - 1
