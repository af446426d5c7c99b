//// ABOUT code that is not PIC in a library or PIE: recompile with -fPIC
//// BUILD gcc -c -O1 -fno-pic n.c && gcc -c t.c
//// FAILS gcc -shared -o libn.so n.o t.o
//// SAYS relocation R_X86_64_32S cannot be used against
//// SAYS recompile with -fPIC
//// FAILS gcc -pie -o n n.o t.o
//// SAYS recompile with -fPIC
//// DIFFERS lld output: 14 takes it for a PIE
//// FILE t.c
int table[100];
//// FILE n.c
extern int table[];
int get(int n) { return table[n]; }
int main(int n, char **v) { return get(n); }
