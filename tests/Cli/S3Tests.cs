// A repository in a bucket, of a real server: read and written by us and by stock restic, while the server asks to slow
// down, with credentials from everywhere but the command line.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using FastBackup.Repositories;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class S3Tests
{
    const int Mebi = 1 << 20;

    [Fact]
    public void Bucket_HoldsARepositoryAsAFolderDoes()
    {
        using ObjectStore server = new();
        using RepositoryFolder repo = Make(server, server.Port, "bucket/some/prefix");
        RepositoryFolder.Init(StoreOf(server, "bucket/some/prefix"));
        // More than a part, and less than a pack: goes up in parts.
        Disks.Sparse(repo["disk.img"], 20 * Mebi + 3, (0, 18 * Mebi));
        const string line = "backup disk.img --repo REPO --json --price-requests 0.005 --price-month 0.02";
        JsonElement[] planned = repo.Fastbackup(line + " --dry-run").Expect(0).Events();
        Assert.Equal(0ul, planned[^1].GetProperty("requests").Number("put"));
        JsonElement plan = planned.Single(one => one.Text("event") == "point");
        Assert.InRange(plan.GetProperty("estimate").GetProperty("requests_cost").GetDouble(), 0.00004, 0.0002);
        Assert.Equal(
            plan.GetProperty("estimate").Number("sent_bytes"),
            plan.GetProperty("plan").Number("stored_bytes_max")
        );
        JsonElement[] events = repo.Fastbackup(line).Expect(0).Events();
        JsonElement done = events[^1];
        JsonElement estimate = events.Single(one => one.Text("event") == "point").GetProperty("estimate");
        Assert.InRange(done.GetProperty("requests").Number("put"), 1ul, estimate.Number("put_requests"));
        Assert.InRange(estimate.Number("put_requests"), 8ul, 40ul);
        Assert.InRange(estimate.Number("sent_bytes"), 20ul * Mebi, 21ul * Mebi);
        Assert.InRange(estimate.GetProperty("requests_cost").GetDouble(), 0.00004, 0.0002);
        Assert.InRange(estimate.GetProperty("month_cost").GetDouble(), 0.00039, 0.0005);
        JsonElement requests = done.GetProperty("requests");
        Assert.InRange(requests.Number("put"), 7ul, 20ul);
        Assert.InRange(requests.Number("sent_bytes"), 18ul * Mebi, 19ul * Mebi);
        repo.Check();
        repo.AssertRestores("latest", "disk.img");
        repo.Fastbackup("repo init REPO").Expect(1).ExpectSentence("holds a repository already");
        // And what restic writes there.
        Disks.Random(repo["other.img"], 3 * Mebi + 1, seed: 3);
        repo.Restic("backup other.img").Expect(0);
        repo.AssertRestores("latest", "other.img", "other.img");
        repo.Fastbackup("repo verify REPO --read-data").Expect(0);
        repo.Fastbackup("repo", "forget", "REPO", repo.Points()[0][..12]).Expect(0);
        repo.Restic("prune").Expect(0);
        Assert.Single(repo.Points());
        Assert.Empty(repo.Restic("list locks").Expect(0).Output);
        SlowDown_IsWaitedFor(server);
        Credentials_ComeFromFilesAndCommands(server);
    }

    [Theory]
    [InlineData("s3:http://host:90/bucket", "http://host:90", "bucket", "")]
    [InlineData("s3:host/bucket/a/b/", "https://host", "bucket", "a/b")]
    [InlineData("s3://host/bucket//a", "https://host", "bucket", "a")]
    public void Address_IsReadAsResticWritesIt(string address, string endpoint, string bucket, string prefix)
    {
        Assert.Null(S3Address.Check(address));
        S3Address parsed = S3Address.Parse(address);
        Assert.Equal((new Uri(endpoint), bucket, prefix), (parsed.Endpoint, parsed.Bucket, parsed.Prefix));
    }

    [Theory]
    [InlineData("aws_access_key_id = a\naws_secret_access_key=b", "default", "b")]
    [InlineData("[x]\naws_access_key_id=a\naws_secret_access_key=c\n[y]\naws_secret_access_key=d", "x", "c")]
    [InlineData("[default]\n#aws_access_key_id=a\naws_secret_access_key=c", "default", null)]
    [InlineData("[x]\naws_access_key_id=a\naws_secret_access_key=c", "default", null)]
    public void Credentials_AreOfTheirProfile(string text, string profile, string? secret)
    {
        if (secret != null)
            Assert.Equal(secret, S3Credentials.Parse(text, profile, "file").Secret);
        else
            Assert.DoesNotContain(
                "=c",
                Assert.Throws<RepositoryException>(() => S3Credentials.Parse(text, profile, "file")).Message
            );
    }

    static void SlowDown_IsWaitedFor(ObjectStore server)
    {
        using SlowRelay relay = new(server.Port);
        using RepositoryFolder repo = Make(server, relay.Port, "slow-bucket");
        RepositoryFolder.Init(StoreOf(server, "slow-bucket"));
        Disks.Random(repo["disk.img"], 3 * Mebi);
        JsonElement done = repo.Fastbackup("backup disk.img --repo REPO --json").Expect(0).Events()[^1];
        Assert.True(relay.RefusedCount > 0);
        Assert.InRange(done.GetProperty("requests").Number("retries"), 1ul, 100ul);
        repo.Fastbackup("repo verify REPO --read-data").Expect(0);
    }

    static void Credentials_ComeFromFilesAndCommands(ObjectStore server)
    {
        string lines = $"[mine]\naws_access_key_id = {server.KeyName}\naws_secret_access_key = {server.Secret}\n";
        Try(0, "", ("AWS_SHARED_CREDENTIALS_FILE", "keys"), ("AWS_PROFILE", "mine"));
        Try(0, "", ("FASTBACKUP_S3_CREDENTIALS_COMMAND", "tail -n 2 keys"));
        Try(1, "of profile 'default'", ("AWS_SHARED_CREDENTIALS_FILE", "keys"));
        Try(1, "can be read or written by others", ("AWS_SHARED_CREDENTIALS_FILE", "open"));
        Try(1, "there are no credentials for S3");
        Try(1, "403", ("AWS_ACCESS_KEY_ID", server.KeyName), ("AWS_SECRET_ACCESS_KEY", "wrong"));

        void Try(int exitCode, string sentence, params (string, string)[] variables)
        {
            using RepositoryFolder repo = new($"s3:http://127.0.0.1:{server.Port}/slow-bucket")
            {
                Variables = [("HOME", "/nowhere"), .. variables],
            };
            foreach (string name in (string[])["keys", "open"])
            {
                File.WriteAllText(repo[name], lines);
                if (name == "keys")
                    File.SetUnixFileMode(repo[name], UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }
            ProgramResult result = repo.Fastbackup("repo list REPO").Expect(exitCode);
            Assert.Contains(sentence, result.Error);
            Assert.DoesNotContain(server.Secret, result.Output + result.Error);
        }
    }

    static S3Store StoreOf(ObjectStore server, string path) =>
        new(
            S3Address.Parse($"s3:http://127.0.0.1:{server.Port}/{path}"),
            new S3Credentials(server.KeyName, server.Secret, null),
            default
        );

    static RepositoryFolder Make(ObjectStore server, int port, string path) =>
        new($"s3:http://127.0.0.1:{port}/{path}")
        {
            Variables = [("AWS_ACCESS_KEY_ID", server.KeyName), ("AWS_SECRET_ACCESS_KEY", server.Secret)],
        };
}
