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

# Prefixes in another order than gas's, and those that join an instruction's own.
	rex.W add %al, %bl
	rex.X cmovae (%edx), %edx
	repnz cs insl (%dx), %es:(%rdi)
	rep fs movsb
	movsb %fs:(%esi), %es:(%edi)
	lodsq %gs:(%rsi)
	xlat %ds:(%rbx)
	xlat %fs:(%ebx)
	lock addl $1, %fs:(%eax)
	lock rex.W addl $1, (%rax)
	xacquire lock xchgl %eax, (%rbx)
	data16 rex.W call target
	fs rex.B call *(%rax)
	jne,pn target
	je,pt target
	movl 0x10(%eip), %eax
	movl target(%eip), %eax
	addb %al, 0xffffffffffff0000
	mov %es, %r9
	mov %sp, %ss
	sldt %rsp
	str %r13
	nopl %fs:(%r11)
	nopq 8(%rax,%rbx,2)
	nop %r12d
# What is encoded through a stand-in.
	rdpid %rbx
	ptwriteq 8(%rax)
	ptwrite %esi
	ud0 (%rax), %eax
	ud1 %rdx, %r11
	cldemote 16(%r11)
	clrssbsy (%r14,%r13,4)
	rstorssp target(%rip)
	movdiri %rdi, 1(%rax,%rax)
	movdir64b (%rdx), %rdx
	enqcmd target(%rip), %rax
	wrssq %rax, (%rdx)
	wrussd %eax, 1(%r9)
	gf2p8mulb target(%rip), %xmm12
	gf2p8affineqb $0x12, 0x7f(%rbp), %xmm0
	vgf2p8affineinvqb $3, %ymm1, %ymm14, %ymm3
	vgf2p8mulb (%rax), %ymm2, %ymm9
	vaesenc %ymm0, %ymm14, %ymm0
	vaesdeclast target(%rip), %ymm1, %ymm2
	vpclmulqdq $0x11, %ymm5, %ymm14, %ymm4
	vpclmulqdq $0x11, (%rax), %xmm14, %xmm4
	{vex} vpdpbusd %xmm2, %xmm14, %xmm3
	{vex} vpdpwssds (%rdx,%rsi,8), %ymm6, %ymm11
	{vex} vpaddd %ymm1, %ymm2, %ymm3
	vcmple_oqpd %xmm1, %xmm2, %xmm3
	vcmptrue_usss 4(%rax), %xmm2, %xmm13
	vcvtsd2si 0x7f(%rbx), %edx
# The short displacements of EVEX count in units.
	vmulpd 0x1340(%rbx), %zmm28, %zmm2{%k3}{z}
	vpaddq 0x41(%rbx), %zmm28, %zmm2
	vpmaxsd 0xbc(%rbx){1to16}, %zmm13, %zmm6
	vpslld 0x40(%rbx), %zmm1, %zmm2
	vcvtsd2ss 8(%rax), %xmm21, %xmm19
	vcvtusi2ssq -0x1f0(%rbx), %xmm17, %xmm4
	vpmovqb %zmm1, 16(%rax)
	vrcp14sd %xmm4, %xmm13, %xmm7
	vbroadcastss 64(%rax), %zmm7{%k3}
	.intel_syntax noprefix
	pushf
	popf
	iretq
	vcvtsd2si edx, QWORD PTR [rbx+0x7f]
	vmulpd zmm2{k3}{z}, zmm28, ZMMWORD PTR [rbx+0x1340]
	vcmpeq_uqps ymm1, ymm2, YMMWORD PTR [rax]
	nop QWORD PTR fs:[r11]
	movdiri DWORD PTR [rax+8], ecx
	mov eax, DWORD PTR [eip+0x10]
	.att_syntax
