//// ABOUT scripts with SECTIONS, MEMORY, PHDRS are refused in clear words
//// BUILD gcc -c -O1 m.c
//// FAILS gcc -o m m.o -Wl,-T,sections.ld
//// SAYS sections.ld:1: linker scripts with SECTIONS are not supported
//// FAILS gcc -o m m.o memory.ld
//// SAYS memory.ld:2: linker scripts with MEMORY are not supported
//// FAILS gcc -o m m.o phdrs.ld
//// SAYS phdrs.ld:1: linker scripts with PHDRS are not supported
//// LACKS ld lld mold: they take such scripts
//// FILE sections.ld
SECTIONS { .text : { *(.text) } }
//// FILE memory.ld
/* a board */
MEMORY { rom (rx) : ORIGIN = 0, LENGTH = 64K }
//// FILE phdrs.ld
PHDRS { text PT_LOAD; }
//// FILE m.c
int main(void) { return 0; }
