.macro pushall a, b=%rcx
 push \a
 push \b
 .ifc \a,%rax
 nop
 .else
 hlt
 .endif
L\@: ret
.endm
.set N, 3
 pushall %rax
 pushall %rbx, %rdx
 pushall b=%rsi, a=%rdi
.rept N
 .byte 1; .byte 2
.endr
.irp r,ax,bx,cx
 mov $1, %\r
.endr
.irpc c,123
 .byte \c
.endr
.if N == 3 && N < 4
 .long 5
.elseif N == 2
 .long 6
.else
 .long 7
.endif
.ifdef N; .byte 9; .else; .byte 8; .endif
.ifndef N
 .byte 1
.endif
x = 5
 .long x
x = x + 1
 .long x
1: jmp 1b
 jmp 1f
 .fill 130
1: nop
 jmp 1b
a: .skip 3
b: .long b-a, .-a
 .set sz, .-a
 .quad sz
 .macro rec n
 .if \n
 .byte \n
 rec "(\n-1)"
 .endif
 .endm
 rec 3
 .ascii "a\tb\"\\\101\x41", "c"
 .asciz "d;#e"  # comment
 .byte 'a', ';', '#', '\n' ; .byte 0x10, 010, 0b11, -1, ~0, 1<<3|1, (2+3)*4, 7/2, 7%4
 /* block
 comment */ nop
 .p2align 3,,2
 .p2align 4
 .org 1000
q1: nop
 movq $1,%rax
q2: .if q2-q1 == 8
 .byte 88
 .else
 .byte 77
 .endif
 .if . - q2 == 1
 .byte 66
 .endif
