// x-debug-block-dirty-bitmap-sha256: the hash of a bitmap's bits, for tests. Found on the reactor's thread and hashed
// on the monitor's: a bitmap of 256 MiB takes seconds, for which guests must not wait.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Json;
using FastBackup.Native.Monitor.Nodes;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the monitor's.</summary>
sealed class BitmapHash(MonitorTurns turns, NodeTable nodes)
{
    const int HashBytes = 32;

    public CommandAnswer Run(CommandCall call)
    {
        string node = call.Arguments.Text("node");
        string name = call.Arguments.Text("name");
        if (call.Arguments.End() is { } error)
            return error;
        HierarchicalBitmap? bits = null;
        CommandAnswer answer = turns.OnReactor(() =>
        {
            QmpError? problem = nodes.FindSource(node, out DiskObject? disk);
            if (problem != null)
                return problem;
            if (new PlanState().Find(disk!, name) is not { } found)
                return QmpError.Generic($"Dirty bitmap '{name}' not found");
            found.Bitmap.Share();
            bits = found.Bitmap.Bits;
            return CommandAnswer.Done;
        });
        return bits == null ? answer : JsonValue.Object(("sha256", JsonValue.Of(HashOf(bits))));
    }

    static string HashOf(HierarchicalBitmap bits)
    {
        byte[] hash = new byte[HashBytes];
        Check.That(bits.Sha256(hash).IsNone);
        GC.KeepAlive(bits);
        return Convert.ToHexStringLower(hash);
    }
}
