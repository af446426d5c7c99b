//// ABOUT -z nodelete, initfirst, interpose, nodlopen, nodefaultlib, origin, global, nodump, loadfltr
//// BUILD gcc -c -O1 -fPIC m.c
//// LINK gcc -shared -o a.so m.o -Wl,-z,nodelete,-z,initfirst
//// LINK gcc -shared -o b.so m.o -Wl,-z,interpose,-z,nodlopen
//// LINK gcc -shared -o c.so m.o -Wl,-z,nodefaultlib,-z,origin
//// LINK gcc -shared -o d.so m.o -Wl,-z,global,-z,nodump,-z,loadfltr
//// LINK gcc -shared -o f.so m.o -Wl,-z,now,-z,nodelete -Wl,-Bsymbolic
//// SHOW readelf -dW a.so b.so c.so | grep -c FLAGS_1
//// PRINTS 3
//// DIFFERS lld dynamic: it does not know -z nodump and loadfltr
//// DIFFERS mold dynamic: it does not know -z global, nodump and loadfltr
//// FILE m.c
int f(void) { return 1; }
