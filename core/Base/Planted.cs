// Bugs that were made once, here or by others, and can be switched back in, one at a time, to see whether the
// simulator notices. Only the simulator's build has them (FASTBACKUP_PLANTED): elsewhere Is is the constant false,
// which the compilers fold away together with what it guards.
using System.Runtime.CompilerServices;
#if FASTBACKUP_PLANTED
using System;
#endif

namespace FastBackup.Base;

/// <summary>Each names the scenario of the regression list (R..) that it breaks.</summary>
public enum PlantedBug
{
    None,
}

public static class Planted
{
#if FASTBACKUP_PLANTED
    [ThreadStatic]
    static PlantedBug _active;

    /// <summary>The bug that is in force on this thread.</summary>
    public static PlantedBug Active
    {
        get => _active;
        set => _active = value;
    }

    public static bool Is(PlantedBug bug) => _active == bug;
#else
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Is(PlantedBug bug) => false;
#endif
}
