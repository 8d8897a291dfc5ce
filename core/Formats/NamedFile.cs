// Where a file lies that an image names: relative names begin in the folder of the image that has them, "file:" is no
// part of a name, and what else looks like a protocol is known to DeviceSchemes, or not at all.
// Source: QEMU docs/interop/qcow2.rst; QEMU's path_has_protocol for what a protocol looks like.
using System;
using System.IO;
using FastBackup.Devices;

namespace FastBackup.Formats;

static class NamedFile
{
    /// <param name="imagePath">Of the image that has the name.</param>
    /// <param name="name">As it stands there.</param>
    /// <param name="path">To be opened.</param>
    /// <returns>False: it is on something that is not known here.</returns>
    public static bool TryResolve(string imagePath, string name, out string path)
    {
        path = name.StartsWith("file:", StringComparison.Ordinal) ? name["file:".Length..] : name;
        if (path.Length == 0)
            return false;
        if (DeviceSchemes.Known.IsMeant(path))
            return DeviceSchemes.Known.Check(path) == null;
        if (ReferenceEquals(path, name) && HasProtocol(path))
            return false;
        if (!Path.IsPathRooted(path))
            path = Path.Join(Path.GetDirectoryName(imagePath), path);
        return true;
    }

    /// <summary>A colon before the first slash; on Windows a drive is none.</summary>
    static bool HasProtocol(string path)
    {
        int colon = path.IndexOf(':', StringComparison.Ordinal);
        int slash = path.AsSpan().IndexOfAny('/', '\\');
        return colon >= 0 && (slash < 0 || colon < slash) && !Path.IsPathFullyQualified(path);
    }
}
