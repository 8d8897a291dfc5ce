// A repository behind restic's REST protocol, as 'rclone serve restic' speaks it: read and written by us and by stock
// restic, also where nothing may be removed, and while the server is away.
using System;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class RestServerTests
{
    const int Mebi = 1 << 20;

    [Fact]
    public void RestServer_HoldsARepositoryAsAFolderDoes()
    {
        using RepositoryFolder repo = Make(out int port);
        using RunningProgram server = Serve(repo, port);
        repo.Fastbackup("backup disk.img --repo REPO").Expect(0);
        repo.Check();
        repo.AssertRestores("latest", "disk.img");
        repo.Fastbackup("repo verify REPO --read-data").Expect(0);
        repo.Fastbackup("repo", "forget", "REPO", repo.Points()[0][..12]).Expect(0);
        Assert.Empty(repo.Points());
        Assert.Empty(repo.Files("locks"));
    }

    [Fact]
    public void AppendOnlyServer_TakesPoints_AndLetsNoneGo()
    {
        using RepositoryFolder repo = Make(out int port);
        using RunningProgram server = Serve(repo, port, "--append-only");
        repo.Fastbackup("backup disk.img --repo REPO").Expect(0);
        TrackedImage.Touch(repo["disk.img"], 5, 77);
        repo.Fastbackup("backup disk.img --repo REPO").Expect(0);
        string[] points = repo.Points();
        Assert.Equal(2, points.Length);
        repo.Fastbackup("repo forget REPO --keep-last 1").Expect(1).ExpectSentence("403 (forbidden)");
        Assert.Equal(points, repo.Points());
        repo.AssertRestores("latest", "disk.img");
        Assert.Empty(repo.Files("locks"));
    }

    [Fact]
    public void ServerThatGoesAwayForAMoment_IsWaitedFor()
    {
        using RepositoryFolder repo = Make(out int port);
        using RunningProgram backup = repo.Start("backup", "disk.img", "--repo", "REPO");
        System.Threading.Thread.Sleep(200); // nobody listens yet
        using RunningProgram server = Serve(repo, port);
        backup.Wait().Expect(0);
        repo.AssertRestores("latest", "disk.img");
    }

    /// <summary>A disk, and a repository in a folder that a server will offer.</summary>
    static RepositoryFolder Make(out int port)
    {
        Requires.Command("rclone");
        port = LocalPort.Free().Port;
        RepositoryFolder repo = new($"rest:http://127.0.0.1:{port}/");
        repo.Init();
        Disks.Sparse(repo["disk.img"], 6 * Mebi + 3, (0, 4 * Mebi));
        return repo;
    }

    static RunningProgram Serve(RepositoryFolder repo, int port, params string[] options)
    {
        RunningProgram server = new(
            repo.Path,
            "rclone",
            ["serve", "restic", "--addr", $"127.0.0.1:{port}", .. options, "repo"],
            ("RCLONE_CONFIG", repo["none.conf"])
        );
        Eventually.True(() => server.HasExited || server.Said.Contains("Serving", StringComparison.Ordinal));
        return server;
    }
}
