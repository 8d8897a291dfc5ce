// A Linux machine under QEMU's software emulation: Debian's kernel, a file system in memory with busybox and our
// init.sh, disks of virtio. It boots in about three seconds and does what it is told over its second serial port: a
// line of shell goes in, the lines that it prints come out, and "done N" ends them. The first port is its console,
// which goes into a file and is shown when something fails. What it does, it does for ordinary users.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;
using Xunit;

namespace FastBackup.Tests.Hosts.Guest;

/// <summary>Threads: one. Disposing ends the machine at once, as a power cut does.</summary>
sealed class LinuxGuest : IDisposable
{
    const string Program = "qemu-system-x86_64";
    const string DonePrefix = "done ";
    const int PollUs = 100_000;

    static readonly string[] Modules = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "xfs"];

    readonly CancellationToken _cancel;
    readonly string _console;
    readonly RunningProgram _process;
    readonly QmpClient _qmp;
    readonly Socket _port = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    readonly List<string> _lines = [];
    readonly StringBuilder _line = new();
    bool _isBusy;

    /// <summary>Boots it.</summary>
    /// <param name="folder">Takes sockets and the console's text.</param>
    /// <param name="disks">In QEMU's -blockdev syntax, without node-name: /dev/vda, /dev/vdb, ...</param>
    /// <param name="cancel">Ends every wait.</param>
    public LinuxGuest(TempFolder folder, IEnumerable<string> disks, CancellationToken cancel)
    {
        _cancel = cancel;
        string name = "g" + Guid.NewGuid().ToString("N")[..8];
        _console = folder[name + ".log"];
        string monitorPath = folder[name + ".qmp"];
        string portPath = folder[name + ".tty"];
        GuestParts parts = GuestParts.Get();
        string memory = folder[name + ".cpio"];
        WriteFirstFiles(memory, parts);
        _process = Tool.Start(Program, Arguments(parts.Kernel, memory, monitorPath, portPath, disks));
        try
        {
            _qmp = QmpClient.Connect(monitorPath, _process, cancel);
            _port.Connect(new UnixDomainSocketEndPoint(portPath));
            _qmp.Command("cont"); // it was started stopped, so that nothing it says is lost
            _isBusy = true;
            Finish();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>A disk that an NBD server has.</summary>
    public static string NbdDisk(string socketPath, string export) =>
        $"driver=nbd,server.type=unix,server.path={Tool.Option(socketPath)},export={export},discard=unmap";

    /// <summary>A raw image.</summary>
    public static string FileDisk(string path) => $"driver=file,filename={Tool.Option(path)},discard=unmap";

    /// <summary>Runs a line of shell; every exit code but 0 fails the test.</summary>
    /// <returns>The lines that it printed.</returns>
    public string[] Run(string command)
    {
        Start(command);
        return Finish();
    }

    /// <summary>Starts a line of shell.</summary>
    public void Start(string command)
    {
        Assert.False(_isBusy, "the guest's last command was not waited for");
        _port.Send(Encoding.ASCII.GetBytes(command + "\n"));
        _lines.Clear();
        _isBusy = true;
    }

    /// <summary>Waits for a line of what was started.</summary>
    public void WaitForLine(string line)
    {
        while (!_lines.Contains(line))
        {
            Assert.True(_isBusy, $"the guest never said '{line}'{Said()}");
            Receive();
        }
    }

    /// <summary>Waits for the end of what was started.</summary>
    /// <returns>All lines that it printed.</returns>
    public string[] Finish()
    {
        while (_isBusy)
            Receive();
        Assert.True(_lines[^1] == DonePrefix + "0", "the guest's command failed" + Said());
        return [.. _lines.Take(_lines.Count - 1)];
    }

    /// <summary>Stops its processor; all it had asked of its disks has been done then.</summary>
    /// <returns>The lines that it had printed by then of what was started.</returns>
    public string[] Pause()
    {
        _qmp.Command("stop");
        while (_isBusy && _port.Poll(PollUs, SelectMode.SelectRead))
            Receive();
        return [.. _lines];
    }

    public void Resume() => _qmp.Command("cont");

    /// <summary>Ends the machine in good order; its file systems are to be unmounted.</summary>
    public void PowerOff()
    {
        _port.Send("poweroff -f\n"u8);
        _process.WaitForSuccess(TimeSpan.FromSeconds(30), _cancel);
    }

    public void Dispose()
    {
        _qmp?.Dispose();
        _port.Dispose();
        _process.Dispose();
    }

    static string[] Arguments(
        string kernel,
        string memory,
        string monitorPath,
        string portPath,
        IEnumerable<string> disks
    )
    {
        string[] start = ["-S", "-accel", "tcg", "-m", "256", "-nodefaults", "-no-user-config", "-no-reboot"];
        string[] boot = ["-display", "none", "-kernel", kernel, "-initrd", memory];
        string[] ports =
        [
            "-append",
            "console=ttyS0 loglevel=5 panic=-1",
            "-serial",
            $"file:{monitorPath[..^".qmp".Length]}.log",
            "-serial",
            $"unix:{portPath},server=on,wait=off",
            "-qmp",
            $"unix:{monitorPath},server=on,wait=off",
        ];
        IEnumerable<string> devices = disks.SelectMany(
            (disk, index) =>
                new[]
                {
                    "-blockdev",
                    string.Create(CultureInfo.InvariantCulture, $"{disk},node-name=disk{index}"),
                    "-device",
                    string.Create(CultureInfo.InvariantCulture, $"virtio-blk-pci,drive=disk{index}"),
                }
        );
        return [.. start, .. boot, .. ports, .. devices];
    }

    /// <summary>What the kernel unpacks and starts: folders, busybox, modules in their order, init.sh.</summary>
    static void WriteFirstFiles(string path, GuestParts parts)
    {
        using NewcArchive archive = new(path);
        foreach (string folder in new[] { "bin", "dev", "proc", "sys", "modules" })
            archive.AddFolder(folder);
        archive.AddProgram("bin/busybox", File.ReadAllBytes(parts.Busybox));
        IReadOnlyList<string> modules = KernelModules.InOrder(parts.ModuleFolder, Modules);
        for (int i = 0; i < modules.Count; i++)
        {
            string name = $"modules/{i:D2}-{Path.GetFileName(modules[i])}";
            archive.AddProgram(name, File.ReadAllBytes(modules[i]));
        }
        archive.AddProgram("init", File.ReadAllBytes(Script("init.sh")));
        archive.AddProgram("rounds.sh", File.ReadAllBytes(Script("rounds.sh")));
    }

    static string Script(string name) => Path.Combine(AppContext.BaseDirectory, "Guest", name);

    void Receive()
    {
        while (!_port.Poll(PollUs, SelectMode.SelectRead))
        {
            if (_cancel.IsCancellationRequested)
                Assert.Fail("the guest did not answer in time" + Said());
            if (_process.HasExited)
                Assert.Fail("the guest's machine ended: " + _process.Errors + Said());
        }
        byte[] bytes = new byte[4096];
        int count = _port.Receive(bytes);
        Assert.True(count > 0, "the guest's machine went away" + Said());
        foreach (byte one in bytes.AsSpan(0, count))
        {
            if (one == '\n')
                EndLine();
            else if (one != '\r')
                _line.Append((char)one);
        }
    }

    void EndLine()
    {
        string line = _line.ToString();
        _line.Clear();
        _lines.Add(line);
        if (line.StartsWith(DonePrefix, StringComparison.Ordinal))
            _isBusy = false;
    }

    string Said()
    {
        string console = File.Exists(_console) ? File.ReadAllText(_console) : "";
        string end = console.Length <= 2000 ? console : console[^2000..];
        return "\nit said:\n  " + string.Join("\n  ", _lines) + "\nits console ends:\n" + end;
    }
}
