// Volumes by their names. Wine opens what dosdevices/x:: leads to, and takes it for a file: so names, reads past the
// cache and refusals are seen here, never a volume's length (IOCTL_DISK_GET_LENGTH_INFO is error 50), lock or dismount.
using System;
using System.IO;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Windows;

public sealed class VolumeTests : IDisposable
{
    const string Volume = @"\\.\X:";

    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);

    readonly TempFolder _folder = new();

    public VolumeTests() => Disks.Random(_folder["volume"], 3 << 20);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AVolume_IsASource_AndNoTarget()
    {
        using Drive drive = new(_folder["volume"]);
        Expect(0, "backup", Volume, "copy.img");
        Assert.Equal(File.ReadAllBytes(_folder["volume"]), File.ReadAllBytes(_folder["copy.img"]));
        Assert.Contains("identical", Expect(0, "compare", Volume, "copy.img"));
        Assert.Contains(Volume, Expect(0, "doctor", Volume));
        Assert.Contains("is a volume or drive", Expect(1, "backup", "copy.img", Volume, "--force"));
    }

    string Expect(int exitCode, params string[] arguments)
    {
        ToolRun run = Wine.Run(s_limit, _folder.Path, WindowsPrograms.Command, arguments);
        Assert.True(run.ExitCode == exitCode, $"exit code {run.ExitCode}: {run.Output}");
        return run.Output;
    }

    sealed class Drive : IDisposable
    {
        readonly string _link = Path.Combine(Wine.Prefix(), "dosdevices", "x::");

        public Drive(string file) => File.CreateSymbolicLink(_link, file);

        public void Dispose() => File.Delete(_link);
    }
}
