//// ABOUT scripts with SECTIONS, MEMORY, PHDRS: refused in clear words
//// BUILD gcc -c -O1 -fno-pie m.c
//// FAILS ld -T sections.ld -o m m.o
//// SAYS sections.ld:1: linker scripts with SECTIONS are not supported
//// FAILS ld -T memory.ld -o m m.o
//// SAYS memory.ld:2: linker scripts with MEMORY are not supported
//// FAILS ld --script=phdrs.ld -o m m.o
//// SAYS phdrs.ld:1: linker scripts with PHDRS are not supported
//// DIFFERS ld output: it takes such scripts, which pyldso does not
//// DIFFERS lld output: it takes such scripts, which pyldso does not
//// FILE sections.ld
SECTIONS { . = 0x400000; .text : { *(.text*) } .data : { *(.data*) } }
//// FILE memory.ld
/* a board */
MEMORY { rom (rx) : ORIGIN = 0x10000, LENGTH = 64K }
SECTIONS { .text : { *(.text*) } > rom }
//// FILE phdrs.ld
PHDRS { text PT_LOAD; }
SECTIONS { .text : { *(.text*) } :text }
//// FILE m.c
void _start(void) {}
