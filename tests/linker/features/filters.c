//// ABOUT -F and -f: filters (DT_FILTER, DT_AUXILIARY)
//// BUILD gcc -c -O1 -fPIC x.c
//// LINK gcc -shared -o a.so x.o -Wl,-F,libreal.so
//// LINK gcc -shared -o b.so x.o -Wl,-f,libone.so,-f,libtwo.so
//// FILE x.c
int f(void) { return 1; }
