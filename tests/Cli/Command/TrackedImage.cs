// disk.img with disk.img.track beside it in a folder: writes to it that nobody has watched, and such as somebody who
// watched would have left. By a reader and writer of tracker files of its own (tracker.py).
using System.Globalization;
using System.IO;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Cli.Command;

static class TrackedImage
{
    /// <summary>A byte, unwatched.</summary>
    public static void Touch(TempFolder folder, string name, long offset, byte value) =>
        Touch(folder[name], offset, value);

    public static void Touch(string path, long offset, byte value)
    {
        using FileStream file = File.OpenWrite(path);
        file.Position = offset;
        file.WriteByte(value);
    }

    /// <summary>A write to disk.img, and what its tracker would say of it.</summary>
    public static void Change(TempFolder folder, int granule, byte value) => Change(folder.Path, granule, value);

    public static void Change(string folder, int granule, byte value)
    {
        Touch(Path.Combine(folder, "disk.img"), granule * 65536L, value);
        _ = Python(folder, "set", "disk.img", "disk.img.track", granule.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>What somebody who watched would have left: the bit, the file closed, with the disk as it is.</summary>
    public static void SetChanged(TempFolder folder, int granule) =>
        Python(folder, "set", "disk.img", "disk.img.track", granule.ToString(CultureInfo.InvariantCulture));

    /// <summary>A copy of the tracker of disk.img in which a bit of these bytes is another one.</summary>
    public static void Rot(TempFolder folder, string name, params int[] places)
    {
        byte[] bytes = File.ReadAllBytes(folder["disk.img.track"]);
        foreach (int at in places)
            bytes[at] ^= 4;
        File.WriteAllBytes(folder[name], bytes);
    }

    public static string Python(TempFolder folder, params string[] words) => Python(folder.Path, words);

    static string Python(string folder, params string[] words)
    {
        Requires.Command("python3");
        string reader = Repository.PathOf("tests/Cli/Command/tracker.py");
        return Programs.Run(folder, "python3", [reader, .. words]).Expect(0).Output;
    }
}
