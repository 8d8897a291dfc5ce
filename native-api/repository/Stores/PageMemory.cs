// Memory of the runtime that begins at a page and stays there, as direct I/O asks for it.
using System;
using System.Runtime.InteropServices;

namespace FastBackup.Repositories;

static class PageMemory
{
    public const int PageBytes = 4096;

    /// <param name="bytes">Not cleared.</param>
    public static Memory<byte> Allocate(int bytes)
    {
        byte[] array = GC.AllocateUninitializedArray<byte>(bytes + PageBytes, pinned: true);
        int skipped = (int)(-Marshal.UnsafeAddrOfPinnedArrayElement(array, 0) & PageBytes - 1);
        return array.AsMemory(skipped, bytes);
    }
}
