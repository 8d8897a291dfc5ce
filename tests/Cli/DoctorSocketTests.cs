// What doctor says of the bound of socket buffers, and that a unix socket of ours is given as much.
using System;
using System.Globalization;
using System.IO;
using System.Net;
using System.Net.Sockets;
using FastBackup.Cli;
using FastBackup.Ports.Linux;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class DoctorSocketTests
{
    [Theory]
    [InlineData("212992", "limit 208.0 KiB", true)]
    [InlineData("2097151", "limit 2.0 MiB", true)]
    [InlineData("2097152", "limit 2.0 MiB", false)]
    [InlineData(null, "the limit is hidden", false)]
    public void ALowLimit_HasAdvice(string? limit, string found, bool hasAdvice)
    {
        Finding finding = MachineExamination.ExamineSockets(limit);
        Assert.Equal((found, hasAdvice), (finding.Found, finding.Advice != null));
        Assert.True(!hasAdvice || finding.Advice!.Contains("net.core.wmem_max=2097152", StringComparison.Ordinal));
    }

    /// <summary>Without reading, so much comes until the server waits.</summary>
    [Fact]
    public void AServersSocket_HoldsWhatTheKernelLets()
    {
        const string limitPath = "/proc/sys/net/core/wmem_max";
        using TempFolder folder = new();
        Disks.Random(folder["disk.img"], 8 << 20);
        using RunningProgram server = Programs.StartFastbackup(folder.Path, "serve", "disk.img", "--socket", "s");
        Eventually.True(() => server.Output.Contains("serving", StringComparison.Ordinal));
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(folder["s"]));
        byte[] name = [.. "IHAVEOPT"u8, 0, 0, 0, 1, 0, 0, 0, 4, .. "disk"u8];
        byte[] read = [0x25, 0x60, 0x95, 0x13, .. new byte[20], 0, 0x60, 0, 0];
        socket.Send([0, 0, 0, 3, .. name, .. read]);
        long limitBytes = long.Parse(File.ReadAllText(limitPath), CultureInfo.InvariantCulture);
        long wantedBytes = Math.Min(limitBytes, SocketStreams.SendBufferBytes);
        Eventually.True(() => socket.Available >= wantedBytes);
        ServedDisk.End(server, "INT");
    }
}
