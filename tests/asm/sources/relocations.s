	.text
	call foo
	call foo@PLT
	jmp foo
	je foo@PLT
	mov foo@GOTPCREL(%rip), %rax
	mov foo@GOTPCREL(%rip), %eax
	add foo@GOTPCREL(%rip), %rax
	cmp %rax, foo@GOTPCREL(%rip)
	test %rax, foo@GOTPCREL(%rip)
	call *foo@GOTPCREL(%rip)
	jmp *foo@GOTPCREL(%rip)
	push foo@GOTPCREL(%rip)
	lea foo@GOTPCREL(%rip), %rax
	vmovaps foo@GOTPCREL(%rip), %xmm0
	movq foo@GOTPCREL(%rip), %xmm0
	mov foo@GOTPCREL(%rip), %r8
	mov foo@GOT(%rax), %rbx
	mov foo@GOT, %ebx
	movabs $foo@GOT, %rax
	movabs $foo@GOTOFF, %rax
	movabs $foo@PLTOFF, %rax
	movabs $_GLOBAL_OFFSET_TABLE_, %rax
	movabs $_GLOBAL_OFFSET_TABLE_-., %rax
	lea _GLOBAL_OFFSET_TABLE_(%rip), %rbx
	add $_GLOBAL_OFFSET_TABLE_, %rax
	add $_GLOBAL_OFFSET_TABLE_-., %ebx
	leaq foo@tlsgd(%rip), %rdi
	leaq foo@tlsld(%rip), %rdi
	mov foo@dtpoff(%rax), %edx
	lea foo@dtpoff(%rax), %rdx
	movabs $foo@dtpoff, %rax
	mov foo@gottpoff(%rip), %rax
	add foo@gottpoff(%rip), %r12
	mov %fs:foo@tpoff, %eax
	lea foo@tpoff(%rax), %rax
	movabs $foo@tpoff, %rax
	leaq foo@tlsdesc(%rip), %rax
	call *foo@tlscall(%rax)
	movabs $foo@SIZE, %rax
	mov $foo, %eax
	mov $foo, %rax
	movabs $foo, %rax
	movl $foo, (%rax)
	movq $foo, (%rax)
	movw $foo, (%rax)
	movb $foo, (%rax)
	push $foo
	pushw $foo
	mov foo, %eax
	mov foo(%rip), %eax
	mov foo(,%rax,4), %eax
	mov foo(%rax), %eax
	movabs foo, %eax
	movabs %al, foo
	add $foo, %al
	add $foo, %ax
	cmpl $foo, bar(%rip)
	cmpl $5, bar(%rip)
	cmpw $5, bar(%rip)
	cmpb $5, bar+3(%rip)
	movl $5, bar-4(%rip)
	loop foo
	jrcxz foo
	xbegin foo
	mov foo(%eip), %eax
	mov foo@GOTPCREL+4(%rip), %eax
	jmp .+5
	call .+5
	jmp 0x1234
	call 0x1234
	bnd call foo
	notrack jmp *foo(,%rax,8)
	enter $foo, $0
	ret $foo
	.data
	.byte foo, foo-.
	.short foo, foo-.
	.long foo, foo-., foo@PLT, foo@GOTPCREL, foo@GOTPCREL+4, foo@SIZE, foo@tpoff, foo@dtpoff, foo@gottpoff, foo@tlsgd, foo@tlsld
	.quad foo, foo-., foo@GOT, foo@GOTOFF, foo@SIZE, foo@tpoff, foo@dtpoff, foo@PLTOFF
	.long _GLOBAL_OFFSET_TABLE_, _GLOBAL_OFFSET_TABLE_-.
	.quad _GLOBAL_OFFSET_TABLE_-.
	.reloc 4, R_X86_64_32, foo+4
	.reloc 0, R_X86_64_PC64, foo
	.reloc 0, R_X86_64_COPY, foo
