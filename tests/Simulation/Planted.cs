// Which planted bug is in force. The bugs are not in the engine: each is a file of Bugs/, planted in this program's own
// copy of the engine's sources when it is built (see Planter/Bug.cs for how it is written), and asks here. The enum of
// their names is made from the files.
using System;

namespace FastBackup.Tests.Simulation;

static class Planted
{
    [ThreadStatic]
    static PlantedBug _active;

    /// <summary>The bug that is in force on this thread.</summary>
    public static PlantedBug Active
    {
        get => _active;
        set => _active = value;
    }

    public static bool Is(PlantedBug bug) => _active == bug;
}
