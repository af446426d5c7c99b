//// ABOUT anonymous version script: exports without versions
//// BUILD gcc -c -O1 -fPIC x.c
//// LINK gcc -shared -o libx.so x.o -Wl,--version-script=x.map
//// FILE x.map
{ global: f*; local: *; };
//// FILE x.c
int f1(void) { return 1; }
int f2 = 2;
int g(void) { return f1(); }
