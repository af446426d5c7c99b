//// ABOUT a .symver of a version that no script defines
//// BUILD gcc -c -O1 -fPIC x.c
//// FAILS gcc -shared -o libx.so x.o -Wl,--version-script,x.map
//// SAYS version node not found for symbol f@@V9
//// FILE x.map
V1 { global: f; };
//// FILE x.c
__asm__(".symver f9, f@@V9");
int f9(void) { return 1; }
