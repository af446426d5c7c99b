/* multvec.c: z = x * y, the other half of libvector.so. */
int multcnt = 0;

void multvec(int *x, int *y, int *z, int n)
{
    int i;

    multcnt++;
    for (i = 0; i < n; i++)
        z[i] = x[i] * y[i];
}
