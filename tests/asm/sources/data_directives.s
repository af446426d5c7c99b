	.data
	.byte 1,'a,'\n,'\\,-1,255,0x7f,0b101,017
	.short 1,-2
	.hword 3
	.value 4
	.word 5
	.2byte 0xffff
	.long x, x+4, x-4
x: .int 7
	.4byte x-., .-x
	.quad x, .-x, 0x123456789abcdef0
	.8byte 1
	.octa 0x123456789abcdef0123456789abcdef0, -1, 5
	.uleb128 0,1,127,128,0xffffffff,x-.
	.sleb128 0,-1,63,64,-64,-65,0x7fffffff
	.float 1.5,-2.25e10, 0f3.5, 0x:3f800000, Inf, NaN
	.single 1
	.double 3.14159, -0.0, 1e308
	.tfloat 1.5
	.ascii "a\tb\n\"\\\101\x41\b\f\r"
	.asciz "x","y" "z"
	.string "q\0w"
	.string8 "ab"
	.string16 "ab"
	.string32 "ab"
	.string64 "a"
	.zero 3
	.zero 3,7
	.skip 2
	.space 4,0xff
	.fill 3
	.fill 2,4,0x1234
	.fill 2,8,-1
	.fill 1,3,0x123456
	.align 8
	.align 16,0xcc
	.balign 32,,7
	.balign 4,1,2
	.balignw 8,0x1234
	.balignl 16,0x12345678
	.p2align 3
	.p2align 4,0x55,3
	.p2alignw 3,0x1122
	.p2alignl 4,0x11223344
	.org .+8
	.org x+400,0x11
	.dc.b 1
	.dc.w 2
	.dc.l 3
	.dc.a x
	.dc.s 1.5
	.dc.d 2.5
	.dcb.b 3,1
	.dcb.w 2,5
	.dcb.l 2,7
	.dcb 2,9
	.dcb.s 2,1.5
	.dcb.d 2,1.5
	.ds.b 3
	.ds.w 2
	.ds.l 2
	.ds 2
	.ds.d 1
	.ds.p 1
	.nops 9
	.hfloat 1.5
