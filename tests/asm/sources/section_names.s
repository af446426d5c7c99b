# What a section is by its name alone, and by its name together with what the source says.
	.section .text.none
	.skip 4
	.section .text.a, "a"
	.skip 4
	.section .text.ap, "a", @progbits
	.skip 4
	.section .text.w, "w"
	.skip 4
	.section .text.aw, "aw", @progbits
	.skip 4
	.section .text.awx, "awx"
	.skip 4
	.section .text.am, "aM", @progbits, 1
	.skip 4
	.section .text.ag, "aG", @progbits, g8, comdat
	.skip 4
	.section .text.ao, "ao", @progbits, .text
	.skip 4
	.section .data.none
	.skip 4
	.section .data.a, "a"
	.skip 4
	.section .data.ap, "a", @progbits
	.skip 4
	.section .data.w, "w"
	.skip 4
	.section .data.aw, "aw", @progbits
	.skip 4
	.section .data.awx, "awx"
	.skip 4
	.section .data.am, "aM", @progbits, 1
	.skip 4
	.section .data.ag, "aG", @progbits, g17, comdat
	.skip 4
	.section .data.ao, "ao", @progbits, .text
	.skip 4
	.section .data.rel.ro.none
	.skip 4
	.section .data.rel.ro.a, "a"
	.skip 4
	.section .data.rel.ro.ap, "a", @progbits
	.skip 4
	.section .data.rel.ro.w, "w"
	.skip 4
	.section .data.rel.ro.aw, "aw", @progbits
	.skip 4
	.section .data.rel.ro.awx, "awx"
	.skip 4
	.section .data.rel.ro.am, "aM", @progbits, 1
	.skip 4
	.section .data.rel.ro.ag, "aG", @progbits, g26, comdat
	.skip 4
	.section .data.rel.ro.ao, "ao", @progbits, .text
	.skip 4
	.section .rodata.none
	.skip 4
	.section .rodata.a, "a"
	.skip 4
	.section .rodata.ap, "a", @progbits
	.skip 4
	.section .rodata.w, "w"
	.skip 4
	.section .rodata.aw, "aw", @progbits
	.skip 4
	.section .rodata.awx, "awx"
	.skip 4
	.section .rodata.am, "aM", @progbits, 1
	.skip 4
	.section .rodata.ag, "aG", @progbits, g35, comdat
	.skip 4
	.section .rodata.ao, "ao", @progbits, .text
	.skip 4
	.section .bss.none
	.skip 4
	.section .bss.a, "a"
	.skip 4
	.section .bss.ap, "a", @progbits
	.skip 4
	.section .bss.w, "w"
	.skip 4
	.section .bss.aw, "aw", @progbits
	.skip 4
	.section .bss.awx, "awx"
	.skip 4
	.section .bss.am, "aM", @progbits, 1
	.skip 4
	.section .bss.ag, "aG", @progbits, g44, comdat
	.skip 4
	.section .bss.ao, "ao", @progbits, .text
	.skip 4
	.section .tdata.none
	.skip 4
	.section .tdata.a, "a"
	.skip 4
	.section .tdata.ap, "a", @progbits
	.skip 4
	.section .tdata.w, "w"
	.skip 4
	.section .tdata.aw, "aw", @progbits
	.skip 4
	.section .tdata.awx, "awx"
	.skip 4
	.section .tdata.am, "aM", @progbits, 1
	.skip 4
	.section .tdata.ag, "aG", @progbits, g53, comdat
	.skip 4
	.section .tdata.ao, "ao", @progbits, .text
	.skip 4
	.section .tbss.none
	.skip 4
	.section .tbss.a, "a"
	.skip 4
	.section .tbss.ap, "a", @progbits
	.skip 4
	.section .tbss.w, "w"
	.skip 4
	.section .tbss.aw, "aw", @progbits
	.skip 4
	.section .tbss.awx, "awx"
	.skip 4
	.section .tbss.am, "aM", @progbits, 1
	.skip 4
	.section .tbss.ag, "aG", @progbits, g62, comdat
	.skip 4
	.section .tbss.ao, "ao", @progbits, .text
	.skip 4
	.section .init_array.none
	.skip 4
	.section .init_array.a, "a"
	.skip 4
	.section .init_array.ap, "a", @progbits
	.skip 4
	.section .init_array.w, "w"
	.skip 4
	.section .init_array.aw, "aw", @progbits
	.skip 4
	.section .init_array.awx, "awx"
	.skip 4
	.section .init_array.am, "aM", @progbits, 1
	.skip 4
	.section .init_array.ag, "aG", @progbits, g71, comdat
	.skip 4
	.section .init_array.ao, "ao", @progbits, .text
	.skip 4
	.section .ctors.none
	.skip 4
	.section .ctors.a, "a"
	.skip 4
	.section .ctors.ap, "a", @progbits
	.skip 4
	.section .ctors.w, "w"
	.skip 4
	.section .ctors.aw, "aw", @progbits
	.skip 4
	.section .ctors.awx, "awx"
	.skip 4
	.section .ctors.am, "aM", @progbits, 1
	.skip 4
	.section .ctors.ag, "aG", @progbits, g80, comdat
	.skip 4
	.section .ctors.ao, "ao", @progbits, .text
	.skip 4
	.section .gnu.linkonce.t.none
	.skip 4
	.section .gnu.linkonce.t.a, "a"
	.skip 4
	.section .gnu.linkonce.t.ap, "a", @progbits
	.skip 4
	.section .gnu.linkonce.t.w, "w"
	.skip 4
	.section .gnu.linkonce.t.aw, "aw", @progbits
	.skip 4
	.section .gnu.linkonce.t.awx, "awx"
	.skip 4
	.section .gnu.linkonce.t.am, "aM", @progbits, 1
	.skip 4
	.section .gnu.linkonce.t.ag, "aG", @progbits, g89, comdat
	.skip 4
	.section .gnu.linkonce.t.ao, "ao", @progbits, .text
	.skip 4
	.section .gnu.linkonce.b.none
	.skip 4
	.section .gnu.linkonce.b.a, "a"
	.skip 4
	.section .gnu.linkonce.b.ap, "a", @progbits
	.skip 4
	.section .gnu.linkonce.b.w, "w"
	.skip 4
	.section .gnu.linkonce.b.aw, "aw", @progbits
	.skip 4
	.section .gnu.linkonce.b.awx, "awx"
	.skip 4
	.section .gnu.linkonce.b.am, "aM", @progbits, 1
	.skip 4
	.section .gnu.linkonce.b.ag, "aG", @progbits, g98, comdat
	.skip 4
	.section .gnu.linkonce.b.ao, "ao", @progbits, .text
	.skip 4
	.section .gnu.linkonce.d.none
	.skip 4
	.section .gnu.linkonce.d.a, "a"
	.skip 4
	.section .gnu.linkonce.d.ap, "a", @progbits
	.skip 4
	.section .gnu.linkonce.d.w, "w"
	.skip 4
	.section .gnu.linkonce.d.aw, "aw", @progbits
	.skip 4
	.section .gnu.linkonce.d.awx, "awx"
	.skip 4
	.section .gnu.linkonce.d.am, "aM", @progbits, 1
	.skip 4
	.section .gnu.linkonce.d.ag, "aG", @progbits, g107, comdat
	.skip 4
	.section .gnu.linkonce.d.ao, "ao", @progbits, .text
	.skip 4
	.section .lbss.none
	.skip 4
	.section .lbss.a, "a"
	.skip 4
	.section .lbss.ap, "a", @progbits
	.skip 4
	.section .lbss.w, "w"
	.skip 4
	.section .lbss.aw, "aw", @progbits
	.skip 4
	.section .lbss.awx, "awx"
	.skip 4
	.section .lbss.am, "aM", @progbits, 1
	.skip 4
	.section .lbss.ag, "aG", @progbits, g116, comdat
	.skip 4
	.section .lbss.ao, "ao", @progbits, .text
	.skip 4
	.section .ldata.none
	.skip 4
	.section .ldata.a, "a"
	.skip 4
	.section .ldata.ap, "a", @progbits
	.skip 4
	.section .ldata.w, "w"
	.skip 4
	.section .ldata.aw, "aw", @progbits
	.skip 4
	.section .ldata.awx, "awx"
	.skip 4
	.section .ldata.am, "aM", @progbits, 1
	.skip 4
	.section .ldata.ag, "aG", @progbits, g125, comdat
	.skip 4
	.section .ldata.ao, "ao", @progbits, .text
	.skip 4
	.section .lrodata.none
	.skip 4
	.section .lrodata.a, "a"
	.skip 4
	.section .lrodata.ap, "a", @progbits
	.skip 4
	.section .lrodata.w, "w"
	.skip 4
	.section .lrodata.aw, "aw", @progbits
	.skip 4
	.section .lrodata.awx, "awx"
	.skip 4
	.section .lrodata.am, "aM", @progbits, 1
	.skip 4
	.section .lrodata.ag, "aG", @progbits, g134, comdat
	.skip 4
	.section .lrodata.ao, "ao", @progbits, .text
	.skip 4
	.section .note.none
	.skip 4
	.section .note.a, "a"
	.skip 4
	.section .note.ap, "a", @progbits
	.skip 4
	.section .note.w, "w"
	.skip 4
	.section .note.aw, "aw", @progbits
	.skip 4
	.section .note.awx, "awx"
	.skip 4
	.section .note.am, "aM", @progbits, 1
	.skip 4
	.section .note.ag, "aG", @progbits, g143, comdat
	.skip 4
	.section .note.ao, "ao", @progbits, .text
	.skip 4
	.section .other.none
	.skip 4
	.section .other.a, "a"
	.skip 4
	.section .other.ap, "a", @progbits
	.skip 4
	.section .other.w, "w"
	.skip 4
	.section .other.aw, "aw", @progbits
	.skip 4
	.section .other.awx, "awx"
	.skip 4
	.section .other.am, "aM", @progbits, 1
	.skip 4
	.section .other.ag, "aG", @progbits, g152, comdat
	.skip 4
	.section .other.ao, "ao", @progbits, .text
	.skip 4
	.section .got
	.skip 8
	.section .plt
	.skip 8
	.section .ctors
	.skip 8
	.section .dtors
	.skip 8
	.section .eh_frame
	.skip 8
	.section .data1
	.skip 8
	.section .rodata1
	.skip 8
	.section .init
	.skip 8
	.section .fini
	.skip 8
	.section .comment
	.skip 8
	.section .preinit_array
	.skip 8
