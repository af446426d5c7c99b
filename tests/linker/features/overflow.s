//// ABOUT a value that does not fit its field is an error that says so
//// BUILD gcc -c m.s && gcc -c n.s
//// FAILS gcc -nostdlib -no-pie -o m m.o n.o
//// SAYS relocation R_X86_64_8 out of range: 4660 is not in [-128, 255]; references big
//// SAYS referenced by m.o:(.data+0x0)
//// SAYS relocation R_X86_64_32 out of range
//// FILE m.s
.globl _start
.text
_start: ret
.data
.byte big
.long huge
//// FILE n.s
.globl big, huge
big = 0x1234
huge = 0x123456789a
