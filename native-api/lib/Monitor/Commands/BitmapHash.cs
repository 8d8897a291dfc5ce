// x-debug-block-dirty-bitmap-sha256: the hash of a bitmap's bits, for tests.
using System;
using FastBackup.Base;
using FastBackup.Native.Bitmaps;
using FastBackup.Native.Disks;
using FastBackup.Native.Monitor.Json;
using FastBackup.Native.Monitor.Plans;

namespace FastBackup.Native.Monitor.Commands;

static class BitmapHash
{
    const int HashBytes = 32;

    public static CommandAnswer Run(CommandCall call)
    {
        string node = call.Arguments.Text("node");
        string name = call.Arguments.Text("name");
        if (call.Arguments.End() is { } error)
            return error;
        return call.Monitor.OnReactor(() =>
        {
            QmpError? problem = call.Monitor.Nodes.FindSource(node, out DiskObject? disk);
            if (problem != null)
                return problem;
            if (new PlanState().Find(disk!, name) is not { } found)
                return QmpError.Generic($"Dirty bitmap '{name}' not found");
            byte[] hash = new byte[HashBytes];
            Check.That(found.Bitmap.Bits.Sha256(hash).IsNone);
            return JsonValue.Object(("sha256", JsonValue.Of(Convert.ToHexStringLower(hash))));
        });
    }
}
