//// ABOUT --build-id: sha1, md5, uuid, 0x..., none
//// BUILD gcc -c -O1 m.c
//// LINK gcc -o a m.o -Wl,--build-id=sha1
//// LINK gcc -o b m.o -Wl,--build-id=md5
//// LINK gcc -o c m.o -Wl,--build-id=uuid
//// LINK gcc -o d m.o -Wl,--build-id=0xcafe0123
//// LINK gcc -o e m.o -Wl,--build-id=none
//// LINK gcc -o f m.o -Wl,--build-id
//// FAILS gcc -o g m.o -Wl,--build-id=0xzz
//// SHOW for p in a b c d e f; do readelf -nW $p | sed -n 's/.*Build ID: //p' | awk '{print length($1)}'; done
//// SHOW readelf -nW d | grep -o cafe0123
//// PRINTS cafe0123
//// DIFFERS ld output: it warns of a style that it does not know
//// DIFFERS lld output: its default is shorter
//// FILE m.c
int main(void) { return 0; }
