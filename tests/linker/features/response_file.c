//// ABOUT @FILE: words of the command line in a file, also one in another
//// BUILD gcc -c -O1 m.c && gcc -c -O1 -o "a b.o" a.c
//// LINK gcc -no-pie -nostartfiles -Wl,@words -o m m.o
//// RUN ./m
//// PRINTS status 3
//// DIFFERS lld dynamic segments: it writes a dynamic section without need
//// DIFFERS mold segments output: as lld, and it counts names of --defsym as addresses in the image
//// FILE words
-e begin
"a b.o" @more
//// FILE more
--defsym=three=0x3
//// FILE a.c
extern char three[];
void begin(void) { __asm__ volatile("syscall" : : "a"(60), "D"(three)); }
//// FILE m.c
int unused;
