// fastbackup serve DISK...: the options, their rules, and the words at the end.
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net;
using System.Text;
using FastBackup.Runtime;

namespace FastBackup.Cli;

static class ServeCommand
{
    const int ExportBytesMax = 4096;

    public static readonly string[] Examples =
    [
        "fastbackup serve disk.img --socket /run/disk.sock",
        "fastbackup serve system=vda.img data=/dev/vg0/data --socket /run/vm7.sock --monitor /run/vm7.ctl",
        "fastbackup serve disk.img --socket /run/disk.sock --track",
        "fastbackup serve backup.img --read-only --listen 127.0.0.1:10809",
        "fastbackup serve disk.img --listen 0.0.0.0:10809 --tls-certificates /etc/pki/fastbackup",
    ];

    public static Command Create()
    {
        Argument<string[]> disks = new("DISK")
        {
            Description = "Disk image or block device; NAME=PATH gives its export a name, else it is the file's.",
            Arity = ArgumentArity.OneOrMore,
        };
        disks.Validators.Add(CheckDisks);
        Option<string?> socket = ListenOptions.CreateSocket();
        Option<string?> monitor = new("--monitor")
        {
            Description = "A second socket for ctl, top and live-backup: backups of these disks while they are served.",
            HelpName = "PATH",
        };
        monitor.Validators.Add(ListenOptions.CheckSocket);
        Option<ulong?> memory = MemoryOption.Create();
        Option<IPEndPoint?> listen = ListenOptions.CreateAddress();
        Option<bool> readOnly = FlagOption.Create("--read-only", "Clients may not write.");
        Option<bool> track = FlagOption.Create(
            "--track",
            "Record what clients write in DISK.track of each disk, which 'track add' makes; it outlives a kill."
        );
        Option<ulong?> absorb = SizeOption.Create(
            "--absorb",
            "During backups answer writes from memory, so much of each disk at most, until a flush; a volatile cache.",
            CheckAbsorb
        );
        Option<uint?> reconnect = ReconnectOption.Create();
        Option<int> connections = ListenOptions.CreateConnections();
        Command command = new("serve", "Serve disks to NBD clients, such as QEMU, until Ctrl-C.")
        {
            disks,
            socket,
            listen,
            monitor,
            memory,
            readOnly,
            track,
            absorb,
            reconnect,
            connections,
            CommonOptions.IgnoreLocks,
            CommonOptions.Format,
            CommonOptions.Json,
            CommonOptions.Quiet,
        };
        ServeTlsOptions tls = new(command, listen);
        command.Validators.Add(result =>
        {
            ListenOptions.CheckPlace(result, socket, listen);
            if (result.GetValue(monitor) is { } path && path == result.GetValue(socket))
                result.AddError($"--socket and --monitor are both '{path}'; they are two sockets");
            if (result.GetValue(track) && result.GetValue(readOnly))
                result.AddError("--track is for disks that clients may write to, not with --read-only");
            if (result.GetResult(absorb) != null && (result.GetResult(monitor) == null || result.GetValue(readOnly)))
                result.AddError("--absorb is for writes during backups: it needs --monitor, and no --read-only");
            if (result.GetResult(memory) != null && result.GetResult(monitor) == null)
                result.AddError("--memory is for backups, which need --monitor");
            else if (
                result.ValueIfReadable(memory) is { } bytes
                && MemoryOption.Check(bytes, Filter.FilterOptions.ClusterBytesDefault) is { } wrong
            )
                result.AddError(wrong);
        });
        command.SetAction(parsed =>
            Run(
                new ServeRequest(
                    [.. parsed.GetRequiredValue(disks).Select(Split)],
                    parsed.GetValue(socket),
                    parsed.GetValue(listen),
                    tls.Of(parsed),
                    parsed.GetValue(monitor),
                    parsed.GetValue(memory) ?? MemoryOption.BytesDefault(),
                    parsed.GetValue(memory) == null ? Engine.BufferBytesUsual : null,
                    parsed.GetValue(readOnly),
                    parsed.GetValue(track),
                    parsed.GetValue(absorb) ?? 0,
                    ReconnectOption.Options(parsed.GetValue(reconnect)),
                    parsed.GetValue(CommonOptions.IgnoreLocks),
                    parsed.GetValue(CommonOptions.Format),
                    parsed.GetValue(connections)
                ),
                CommonOptions.CreateOutput(parsed)
            )
        );
        return command;
    }

    static string? CheckAbsorb(ulong bytes) =>
        bytes is < Base.Units.MiB or > 1024 * Base.Units.MiB
            ? "is not of 1MiB to 1GiB; a few milliseconds of writes fit into 16MiB"
            : null;

    static int Run(ServeRequest request, Output output)
    {
        using Interruption interruption = new();
        using ServeRun run = new(request, output, interruption);
        (RunStatus status, string? sentence, Base.Fault fault, double seconds) = run.Execute();
        if (sentence != null)
            output.Error(sentence, fault);
        int exitCode = status.ExitCode();
        output.Event(
            new ServeDoneEvent("done", "serve", status.Word(), exitCode, Math.Round(seconds, 6)),
            JsonEvents.Readable.ServeDoneEvent
        );
        return exitCode;
    }

    /// <summary>A name has no slash; so a path with a '=' in a folder is a path.</summary>
    static (string Export, string Path) Split(string given)
    {
        int mark = given.IndexOf('=', StringComparison.Ordinal);
        bool isNamed = mark > 0 && !given[..mark].Contains('/', StringComparison.Ordinal);
        return isNamed ? (given[..mark], given[(mark + 1)..]) : (Path.GetFileNameWithoutExtension(given), given);
    }

    static void CheckDisks(ArgumentResult result)
    {
        HashSet<string> names = [];
        foreach (Token token in result.Tokens)
        {
            (string export, string path) = Split(token.Value);
            if (PathName.Check(path) is { } wrong)
                result.AddError($"DISK {wrong}");
            else if (Encoding.UTF8.GetByteCount(export) > ExportBytesMax)
                result.AddError($"the name of an export has at most {ExportBytesMax} bytes");
            else if (!names.Add(export))
                result.AddError($"two disks would be exported as '{export}'; name them: NAME=PATH");
        }
    }
}
