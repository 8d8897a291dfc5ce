// fastbackup repo mount-nbd REPO: options only; MountRun does the work.
using System.CommandLine;
using System.IO;
using System.Net;
using FastBackup.Base;

namespace FastBackup.Cli;

static class RepoMountCommand
{
    const ulong CacheBytesUsual = 128 * Units.MiB;

    public static Command Create(Option<string?> password)
    {
        Argument<string> repository = RepositoryOptions.CreateRepository();
        Option<string?> at = RepositoryOptions.CreateAt();
        Option<string?> disk = RepositoryOptions.CreateDisk(
            "Which disk: HOST/DISK, DISK, or a file that restic stored."
        );
        Option<string?> socket = ListenOptions.CreateSocket();
        Option<IPEndPoint?> listen = ListenOptions.CreateAddress();
        Option<string?> overlay = RepositoryOptions.CreatePath(
            "--overlay",
            "Clients may write: what they write is kept in this file, new or of the same point."
        );
        Option<bool> writable = FlagOption.Create(
            "--writable",
            "Clients may write: what they write is gone at the end. It lies in --scratch, without a name."
        );
        Option<string?> scratch = new("--scratch")
        {
            Description = "With --writable: a folder with room; the one for temporary files by default.",
            HelpName = "DIR",
        };
        scratch.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && PathName.Check(result.Tokens[0].Value) is { } wrong)
                result.AddError($"--scratch {wrong}");
        });
        Option<ulong?> cache = SizeOption.Create(
            "--cache",
            "Memory for chunks that were read: 1MiB to 64GiB; 128MiB by default.",
            bytes => bytes is < Units.MiB or > 64 * Units.GiB ? "is not of 1MiB to 64GiB" : null
        );
        Option<int> connections = ListenOptions.CreateConnections();
        Command command = new("mount-nbd", "Serve a point in time to NBD clients, such as QEMU, until Ctrl-C.")
        {
            repository,
            at,
            disk,
            socket,
            listen,
            overlay,
            writable,
            scratch,
            cache,
            connections,
        };
        ServeTlsOptions tls = new(command, listen);
        command.Validators.Add(result =>
        {
            ListenOptions.CheckPlace(result, socket, listen);
            if (result.GetResult(overlay) != null && result.GetValue(writable))
                result.AddError("--overlay keeps what clients write and --writable does not: give one of them");
            if (result.GetResult(scratch) != null && !result.GetValue(writable))
                result.AddError("--scratch goes with --writable");
        });
        return RepositoryAction.Complete(
            command,
            repository,
            password,
            (parsed, work, interruption) =>
                new MountRun(
                    new MountRequest(
                        parsed.GetValue(at) ?? PointChoice.Latest,
                        parsed.GetValue(disk),
                        parsed.GetValue(socket),
                        parsed.GetValue(listen),
                        tls.Of(parsed),
                        parsed.GetValue(overlay),
                        parsed.GetValue(writable) ? parsed.GetValue(scratch) ?? Path.GetTempPath() : null,
                        parsed.GetValue(cache) ?? CacheBytesUsual,
                        parsed.GetValue(connections)
                    ),
                    work,
                    interruption
                ).Execute()
        );
    }
}
