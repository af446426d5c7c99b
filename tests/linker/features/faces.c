//// ABOUT gcc as driver: -r, -nostdlib, -nostartfiles, -nodefaultlibs, -static -nostdlib, -shared -static-libgcc
//// BUILD gcc -c -O1 -fPIC x.c m.c && gcc -c -O1 -fno-pie -fno-stack-protector -DBARE -o bare.o m.c
//// LINK gcc -r -o all.o x.o m.o
//// LINK gcc -o a all.o
//// LINK gcc -nostdlib -static -o b bare.o x.o
//// LINK gcc -nostdlib -no-pie -o c bare.o x.o
//// LINK gcc -nostartfiles -o d bare.o x.o
//// LINK gcc -nodefaultlibs -o e m.o x.o -lc
//// LINK gcc -shared -static-libgcc -o f.so x.o
//// LINK gcc -s -o g m.o x.o
//// COMPARE a b e f.so g
//// RUN ./a; echo $?; ./b; echo $?; ./c; echo $?; ./d; echo $?; ./e; echo $?; ./g; echo $?
//// PRINTS 3
//// PRINTS 3
//// PRINTS 3
//// PRINTS 3
//// PRINTS 3
//// PRINTS 3
//// DIFFERS lld output: a fixed program of no library gets an interpreter, which finds nothing to do
//// DIFFERS mold output segments: as lld, and it makes a segment for sections without content
//// FILE x.c
int x(void) { return 3; }
//// FILE m.c
int x(void);
#ifdef BARE
void _start(void) { __asm__ volatile("syscall" : : "a"(60), "D"(x())); }
#else
int main(void) { return x(); }
#endif
