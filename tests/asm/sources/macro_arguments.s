	.macro m1 a, b=5, c
	.long \a, \b
	.ifnb \c
	.byte \c
	.endif
	.endm
	m1 1
	m1 1,2
	m1 1,,3
	m1 a=4 b=6
	m1 7 8 9
	m1 c=1, a=2
	.macro m2 x:req, y:vararg
	.long \x
	.irp i, \y
	.byte \i
	.endr
	.endm
	m2 1, 2, 3, 4
	m2 5
	.macro m3
lab\@: .long \@
	jmp lab\@
	.endm
	m3
	m3
	.macro m4 p
\p\()_suffix: .byte 1
	.long \p\()_suffix
	.endm
	m4 foo
	.macro rec n
	.if \n
	.byte \n
	rec (\n-1)
	.endif
	.endm
	rec 4
	.irp r,ax,bx,cx
	push %r\r
	.endr
	.irpc c,0123
	.byte \c
	.endr
	.rept 3
	.byte 9
	.endr
	.macro m5
	.byte 1
	.exitm
	.byte 2
	.endm
	m5
	.purgem m5
	.macro m5
	.byte 7
	.endm
	m5
	.macro q s
	.ascii \s
	.endm
	.macro str s
	.asciz "\s"
	.endm
	str abc
	str "a b"
	.macro outer n
	.macro inner\n
	.byte \n
	.endm
	.endm
	outer 3
	inner3
	.set i,0
	.rept 4
	.byte i
	.set i,i+1
	.endr
	.macro op insn, args:vararg
	\insn \args
	.endm
	op mov, %rax, %rbx
	op lea 8(%rax,%rbx,4), %rcx
	.macro LBL name
	.globl \name
	.type \name, @function
\name:
	.endm
	LBL fun
	.altmacro
	.macro am x
	LOCAL zz
zz: .byte x
	.long zz
	.endm
	am 1
	am %(1+2)
	am <4>
	.noaltmacro
	.rept 2
	.irp x,1,2
	.byte \x
	.endr
	.endr
	.macro cnt n, m
	.if \n < \m
	.byte \n
	cnt "(\n + 1)", \m
	.endif
	.endm
	cnt 0, 3
	.macro opt a=1, b=\a
	.byte \a
	.endm
	opt
	.irp x
	.byte 0\x
	.endr
	.macro semi
	.byte 1; .byte 2
	.endm
	semi; semi
	.macro three one two three
	.byte \one, \two, \three
	.endm
	three 1 2 3
	three 1, 2, 3
	.macro under a_b
	.byte \a_b
	.endm
	under 4
