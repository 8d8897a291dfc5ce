// Where the engine asks for memory that stays in its place: during a run all of it does, and of pinned memory a run
// would get so much that a collection came.
using FastBackup.Base;

namespace FastBackup;

static class GC
{
    public static T[] AllocateArray<T>(int length, bool pinned)
    {
        Check.That(pinned);
        return new T[length];
    }

    public static T[] AllocateUninitializedArray<T>(int length, bool pinned = false) =>
        System.GC.AllocateUninitializedArray<T>(length, pinned);

    public static System.GCMemoryInfo GetGCMemoryInfo() => System.GC.GetGCMemoryInfo();

    public static void KeepAlive(object? item) => System.GC.KeepAlive(item);

    public static void SuppressFinalize(object item) => System.GC.SuppressFinalize(item);

    public static long GetTotalAllocatedBytes(bool precise) => System.GC.GetTotalAllocatedBytes(precise);

    public static void Collect() => System.GC.Collect();

    public static int MaxGeneration => System.GC.MaxGeneration;

    public static void Collect(int generation) => System.GC.Collect(generation);

    public static void Collect(int generation, System.GCCollectionMode mode, bool blocking) =>
        System.GC.Collect(generation, mode, blocking);
}
