//// ABOUT --audit and --depaudit: libraries that watch the dynamic linker
//// BUILD gcc -c -O1 m.c
//// LINK gcc -o m m.o -Wl,--audit=libaudit.so,--audit=libmore.so -Wl,-P,libdep.so
//// LACKS lld mold: they do not know the options
//// FILE m.c
int main(void) { return 0; }
