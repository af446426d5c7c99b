	.file "symbols.c"
	.globl visible, second
	.hidden hid
	.protected prot
	.internal inner
	.weak weak_one
	.type visible, @function
	.size visible, .-visible
visible:
	call weak_one
	call hid
prot:	jmp prot
inner:	ret
	.set alias, visible
	.globl alias
	.set number, 42
	.equ shifted, visible+4
	.quad number, shifted, alias
	.quad outside+8
	.set forward, outside
	.quad forward+1
	.comm shared_area, 100, 32
	.comm small, 3
	.local mine
	.comm mine, 8, 8
	.lcomm other, 12
	.symver old_function, function@V1
	.symver new_function, function@@V2
	.globl old_function, new_function
old_function: ret
new_function: ret
	.type resolver, @gnu_indirect_function
resolver: ret
	call resolver
	.data
	.type object, @object
	.size object, 4
object:	.long 5
	.weakref w, target
	.quad w
"quoted name": .byte 1
	.section .tdata,"awT",@progbits
tls_one: .quad 3
	.text
	movl %fs:tls_one@tpoff, %eax
	movq tls_out@gottpoff(%rip), %rax
	leaq tls_one@tlsgd(%rip), %rdi
	leaq tls_one@tlsld(%rip), %rdi
	leaq tls_one@dtpoff(%rax), %rdi
	leaq tls_one@tlsdesc(%rip), %rax
	call *tls_one@tlscall(%rax)
	movabsq $visible@GOTOFF, %rax
	movabsq $_GLOBAL_OFFSET_TABLE_-visible, %rax
	leaq _GLOBAL_OFFSET_TABLE_(%rip), %rbx
	movl $visible@size, %eax
	movq visible@GOTPCREL(%rip), %rax
	movl visible@GOTPCREL(%rip), %eax
	call *visible@GOTPCREL(%rip)
	jmp *visible@GOTPCREL(%rip)
	addq visible@GOTPCREL(%rip), %rax
	pushq visible@GOTPCREL(%rip)
	movl $visible, %eax
	movq $visible, %rax
	movabsq $visible, %rax
	movl visible(,%rax,4), %eax
	movb $object, %al
	movw $object, %ax
	pushq $visible
	movq %rax, object
	addl $7, object(%rip)
	movl $object, object+4(%rip)
	movw $3, object(%rip)
	testl $0x100, object(%rip)
	movabs object, %al
	movabs %rax, object
	.long visible@PLT, object-., visible-object_end
object_end:
	.quad object-., visible@GOTPCREL
	.file "second.c"
	.file "symbols.c"
late_local:
