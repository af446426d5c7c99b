	.data
	.byte 1, -1, 255, 'a', '\n
	.short 0x1234, -2
	.value 7
	.long 1, 0xffffffff, -5
	.int 3
	.quad 0x1122334455667788, -1
	.octa 0x112233445566778899aabbccddeeff00
	.float 1.5, -2.25, 1e10
	.double 3.141592653589793, 0
	.ascii "abc\n\t\\\"\101\x42", "d"
	.asciz "x" "y"
	.string "a;b#c/*d*/"
	.string16 "hi"
	.uleb128 0, 127, 128, 624485
	.sleb128 -1, 63, 64, -65, -624485
	.uleb128 end-start
	.sleb128 start-end
start:	.fill 3, 2, 0x1234
	.fill 5
	.fill 2, 8, 0x11223344
	.space 10
	.skip 4, 0xff
	.zero 3
	.align 8
	.p2align 4,0xcc
	.balign 32,,3
	.balignw 16, 0x1234
end:	.org 400, 7
	.2byte 1
	.4byte 2
	.8byte 3
	.text
	nop
	.p2align 4
	nop
	.p2align 4,,7
	ret
	.p2align 5,0x90
	ret
	.balign 64,0xcc
	ret
	.p2align 8
	ret
	.p2align 6
