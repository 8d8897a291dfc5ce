// The two places in the lowering of a summary at which another thread's steps make a difference: tests play such
// threads there, in the code itself. Otherwise nothing is there, and the compiler leaves nothing of it.
namespace FastBackup.Bitmaps;

interface ISummaryWatch
{
    /// <summary>The line below was zero; its bit is about to be cleared: between C1 and C2 of the argument.</summary>
    static abstract void BeforeClear(HierarchicalBitmap bitmap, int level);

    /// <summary>It was cleared; the line is about to be looked at again: between C2 and C3.</summary>
    static abstract void AfterClear(HierarchicalBitmap bitmap, int level);
}

/// <summary>Nobody is there.</summary>
readonly struct Unwatched : ISummaryWatch
{
    public static void BeforeClear(HierarchicalBitmap bitmap, int level)
    {
        // As it is in production.
    }

    public static void AfterClear(HierarchicalBitmap bitmap, int level)
    {
        // As it is in production.
    }
}
