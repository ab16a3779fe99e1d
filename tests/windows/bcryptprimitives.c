/*
 * Rust programs take their random numbers on Windows from ProcessPrng in bcryptprimitives.dll, which Wine
 * has only from 8.13 on. For older Wines this is that DLL: it asks Wine's RtlGenRandom (SystemFunction036).
 */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T length)
{
    const ULONG most = 1u << 20;

    while (length > 0) {
        ULONG part = length < most ? (ULONG)length : most;

        if (!SystemFunction036(buffer, part))
            return FALSE;
        buffer += part;
        length -= part;
    }
    return TRUE;
}
