// disk.img with disk.img.track beside it in a folder, and the command that serves it: its socket s, its monitor m. What
// a server that was killed leaves in memory goes with the folder.
using System;
using System.Buffers.Binary;
using System.IO;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Cli.Command;

sealed class ServedDisk : IDisposable
{
    readonly TempFolder _folder = new();

    /// <param name="make">Makes the disk at a path.</param>
    public ServedDisk(Action<string> make)
    {
        make(_folder["disk.img"]);
        Run("track", "add", "disk.img").Expect(0);
        TrackerId = BinaryPrimitives.ReadUInt128LittleEndian(File.ReadAllBytes(_folder["disk.img.track"]).AsSpan(48));
    }

    public string this[string name] => _folder[name];

    public string Folder => _folder.Path;

    public UInt128 TrackerId { get; }

    /// <summary>Of its tracker, while it is served.</summary>
    public string LivePath => $"/dev/shm/fastbackup-{TrackerId:x32}.live";

    public RunningProgram Serve(bool isTracked = true)
    {
        File.Delete(_folder["s"]);
        File.Delete(_folder["m"]);
        string[] more = isTracked ? ["--track"] : [];
        RunningProgram server = Programs.StartFastbackup(
            Folder,
            ["serve", "disk.img", "--socket", "s", "--monitor", "m", .. more]
        );
        Eventually.True(() => server.Output.Contains("serving", StringComparison.Ordinal) || server.HasExited);
        return server;
    }

    public static void End(RunningProgram server, string signal)
    {
        server.Signal(signal);
        server.Wait().Expect(signal == "KILL" ? 137 : 0);
    }

    public ProgramResult Run(params string[] words) => Programs.Fastbackup(Folder, words);

    public string Ctl(params string[] words) => Run(["ctl", "m", .. words]).Expect(0).Output;

    public string Refused(params string[] words) => Run(["ctl", "m", .. words]).Expect(1).Error;

    /// <summary>A guest's write of sevens.</summary>
    /// <param name="place">Offset and length, as qemu-io has them.</param>
    public void Write(string place)
    {
        Requires.Command("qemu-io");
        string uri = $"nbd+unix:///disk?socket={_folder["s"]}";
        _ = Programs.Run(Folder, "qemu-io", ["-f", "raw", "-c", $"write -P 7 {place}", uri]).Expect(0);
    }

    public void Dispose()
    {
        foreach (string left in Directory.GetFiles("/dev/shm", $"fastbackup-{TrackerId:x32}.*"))
            File.Delete(left);
        _folder.Dispose();
    }
}
