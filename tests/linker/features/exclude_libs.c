//// ABOUT --exclude-libs keeps an archive's symbols inside
//// BUILD gcc -c -O1 -fPIC a.c b.c x.c && ar rcs liba.a a.o && ar rcs libb.a b.o
//// LINK gcc -shared -o one.so x.o -L. -la -lb -Wl,--exclude-libs,liba.a
//// LINK gcc -shared -o two.so x.o -L. -la -lb -Wl,--exclude-libs=liba.a,libb.a
//// LINK gcc -shared -o all.so x.o -L. -la -lb -Wl,--exclude-libs,ALL
//// LACKS mold: 1.10 does not end on a list of libraries
//// FILE a.c
int a(void) { return 1; }
//// FILE b.c
int b(void) { return 2; }
//// FILE x.c
int a(void), b(void);
int x(void) { return a() + b(); }
