//// BUILD gcc -static -o static main.c
//// BUILD gcc -static-pie -o static_pie main.c
//// BUILD gcc -nostdlib -static -o bare bare.c
//// RUN ./static
//// RUN ./static_pie
//// RUN ./bare
//// FILE main.c
// A program without PT_INTERP is entered at once: it links itself.
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
    printf("%s has %d arguments, %zu\n", argv[0], argc, strlen(argv[0]));
    return 5;
}
//// FILE bare.c
// Not even a C library.
__asm__(".globl _start\n_start: mov $60, %eax\n mov $7, %edi\n syscall");
