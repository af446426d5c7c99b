	.altmacro
	.macro foo a, b
	LOCAL x, y
x:	.long a + b
	.ascii "&a"
	.long \a
y:	jmp x
	.endm
	foo 1, %2+3
	foo <1>, 2
	.macro str s
	.ascii s
	.endm
	str <"a,b">
	str <"x!>y">
	.macro num n
lab&n:	.long n
	.if n
	num %n-1
	.endif
	.endm
	num 3
	.noaltmacro
	.macro old q
	.long \q
	.endm
	old 4
	.irp z,1,2
	.long \z
	.endr
