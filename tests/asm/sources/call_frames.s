	.cfi_sections .eh_frame, .debug_frame
	.text
f: .cfi_startproc
	.cfi_personality 0x9b, DW.ref.p
	.cfi_lsda 0x1b, .LL
	push %rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	.cfi_offset 3, -24
	mov %rsp,%rbp
	.cfi_def_cfa_register rbp
	.cfi_remember_state
	nop
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 8
	.cfi_restore %rbx
	.cfi_restore_state
	.cfi_undefined %rip
	.cfi_same_value %r12
	.cfi_register %r13, %r14
	.cfi_val_offset %r15, -8
	.cfi_escape 0x16, 0x10, 2, 0x77, 8
	.cfi_def_cfa %rsp, 8
	.cfi_window_save
	.skip 300
	.cfi_def_cfa_offset 300
	.skip 70000
	.cfi_def_cfa_offset 32
	.cfi_offset %xmm3, 8
	.cfi_offset 70, -16
	.cfi_endproc
g: .cfi_startproc simple
	.cfi_signal_frame
	.cfi_return_column 8
	.cfi_def_cfa rax, 0
	.cfi_def_cfa_offset -8
	nop
	.cfi_endproc
	.section .text.x,"ax"
h: .cfi_startproc
	.cfi_personality 3, pp
	.cfi_lsda 3, .LL
	nop
	.cfi_remember_state
	nop
	.cfi_restore_state
	.cfi_endproc
	.cfi_startproc
	.cfi_personality 0xff
	.cfi_lsda 0xff
	.cfi_endproc
	.data
.LL: .long 1
