//// ABOUT -Bgroup: DF_1_GROUP, and no undefined symbols
//// BUILD gcc -c -O1 -fPIC m.c
//// LINK gcc -shared -o m.so m.o -Wl,-Bgroup
//// LACKS lld mold: they do not know the option
//// FILE m.c
int f(void) { return 1; }
