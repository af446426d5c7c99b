	.text
	endbr64
	notrack jmp *%rax
	lock; addl $1, (%rdi)
	lock cmpxchgq %rcx, 8(%rdi)
	rep movsb
	rep; ret
	repz cmpsb
	data16 leaq x@tlsgd(%rip), %rdi
	.value 0x6666
	rex64
	call __tls_get_addr@PLT
	mov $1, %r9
	mov $-1, %eax
	add $127, %rax
	add $128, %rax
	addw $-1, %ax
	cmpl $0xffffff80, (%rax)
	movq $0x7fffffff, %rax
	movq $0x80000000, %rax
	movq %fs:40, %rax
	movl foo, %eax
	movl %fs:(%rax), %eax
	movq %fs:0, %rbx
	jmp *table(,%rax,8)
	call *8(%rbx)
	int $3
	int $0x80
	xchgq %rax, %rax
	xchg %ax, %ax
	nopw 0x0(%rax,%rax,1)
	nopl (%rax)
	movw %ss, (%rax)
	movw (%rax), %ds
	movslq %edi, %rax
	movzbl (%rdi), %eax
	movsbq %al, %rax
	cltq
	cqto
	shll %eax
	sarq $3, %rax
	shldq $4, %rax, %rbx
	imulq $100, %rdx, %rax
	testb $1, (%rax)
	btq $5, %rax
	fldt 16(%rsp)
	fstpl (%rsp)
	fxch %st(1)
	faddp %st, %st(1)
	fucomip %st(1), %st
	cvtsi2sdq %rax, %xmm0
	cvttsd2siq %xmm0, %rax
	movd %eax, %xmm1
	movq %xmm1, %rax
	pshufd $0xe5, %xmm1, %xmm0
	shufps $0, %xmm0, %xmm0
	cmpltsd %xmm1, %xmm0
	sqrtsd (%rax), %xmm1
	movaps x(%rip), %xmm9
	vaddsd 8(%rax), %xmm1, %xmm2
	vfmadd231sd (%rax,%rbx,8), %xmm1, %xmm2
	vpaddd %ymm1, %ymm2, %ymm3
	vmovdqu 32(%rdi), %ymm0
	vzeroupper
	loop back
back:	jrcxz back
	xbegin back
	ud2
	hlt
	cpuid
	syscall
	rdsspq %rax
	cmoveq %rax, %rbx
	sete %al
	bswapq %r9
	enter $16, $0
	inb %dx, %al
	outb %al, $0x70
	sete foo(%rip)
	movabsq $0x1122334455667788, %r10
	crc32q %rax, %rdx
	popcntl %eax, %eax
	prefetcht0 (%rax)
	cmpxchg16b (%rdi)
	movq 6+foo(%rip), %rax
	movl foo+4(%rip), %eax
	movl -4+foo(%rip), %eax
	movl (2+3)*4(%rax), %eax
	lea 0(,%rax,8), %rdx
	push %rax
	pop 8(%rsp)
	ret $8
	lret
	iretq
	movsb (%rsi), %es:(%rdi)
	rep stosq %rax, %es:(%rdi)
	repne scasb %es:(%rdi), %al
	lodsl (%rsi), %eax
	cmpsw
	rep movsl
	.intel_syntax noprefix
	rep movsd
	rep stos qword ptr [rdi], rax
	mov eax, dword ptr [rbx+rcx*4-8]
	lea rdi, foo[rip+4]
	mov rax, qword ptr fs:40
	mov byte ptr [rax], 1
	movsx rax, dword ptr [rdi]
	cvtsi2sd xmm0, dword ptr [rsp+4]
	call [qword ptr [rax]]
	jmp qword ptr foo@GOTPCREL[rip]
	mov edi, offset flat:foo
	push 5
	fld tbyte ptr [rsp]
	.att_syntax
	ret
