// TLS on both sides, with the servers and clients that people have: who is let in, and what those learn who are not.
using System;
using System.IO;
using System.Net.Sockets;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class TlsTests : IDisposable
{
    const long DiskBytes = 2_000_000 / 512 * 512;

    readonly TempFolder _folder = new();
    readonly string _address;
    readonly int _port;

    public TlsTests()
    {
        Requires.Command("openssl");
        Requires.Command("nbdinfo");
        Disks.Random(_folder["disk.img"], DiskBytes);
        Disks.Random(_folder["other.img"], DiskBytes, 2);
        MakeAuthority("pki", "one");
        MakeAuthority("other", "two");
        MakeCertificate("pki", "server", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
        MakeCertificate("pki", "client", "vm7", "extendedKeyUsage=clientAuth\n");
        MakeCertificate("other", "client", "vm7", "extendedKeyUsage=clientAuth\n");
        foreach (string folder in new[] { "wrong", "none" })
            File.Copy(
                _folder["pki/ca-cert.pem"],
                Path.Combine(Directory.CreateDirectory(_folder[folder]).FullName, "ca-cert.pem")
            );
        File.Copy(_folder["other/client-cert.pem"], _folder["wrong/client-cert.pem"]);
        File.Copy(_folder["other/client-key.pem"], _folder["wrong/client-key.pem"]);
        _port = LocalPort.Free().Port;
        _address = $"127.0.0.1:{_port}";
    }

    public void Dispose() => _folder.Dispose();

    string Uri(string export, string folder) => $"nbds://localhost:{_port}/{export}?tls-certificates={_folder[folder]}";

    [Fact]
    public void OnlyWhoIsTrusted_IsServed_AndOnlyItsOwn()
    {
        using RunningProgram server = Serve("require", "--tls-client", "vm7=disk", "--tls-client", "vm8=other");
        Assert.Contains("newstyle-fixed with TLS", Info(0, Uri("disk", "pki")));
        Assert.DoesNotContain("other", Info(0, "--list", Uri("", "pki")));
        Tool.Run("nbdcopy", Uri("disk", "pki"), _folder["copy.img"]);
        Run("compare", Uri("disk", "pki"), "copy.img").Expect(0);

        Assert.Contains("No such file", Info(1, Uri("other", "pki")));
        Assert.DoesNotContain("disk.img", Info(1, Uri("disk", "wrong")));
        Assert.DoesNotContain("disk.img", Info(1, Uri("disk", "none")));
        Assert.DoesNotContain("disk.img", Info(1, $"nbd://{_address}/disk"));
        Assert.DoesNotContain("disk.img", Info(1, "--list", $"nbd://{_address}/"));
        Run("backup", Uri("other", "pki"), "none.img").Expect(1).ExpectSentence("the server does not have");
        Run("backup", Uri("disk", "wrong"), "none.img").Expect(1).ExpectSentence("while it was being opened");
        Run("backup", $"nbd://{_address}/disk", "none.img").Expect(1).ExpectSentence("wants TLS");
        string said = End(server);
        foreach (
            string line in new[]
            {
                "asked for 'other', which is not its own",
                "has shown a certificate that is not trusted here",
                "has shown no certificate",
                "wanted to be served without TLS",
            }
        )
            Assert.Contains(line, said);
    }

    [Fact]
    public void WhatComesInTheClear_BehindStartTls_IsNoPartOfIt()
    {
        using RunningProgram server = Serve("require");
        using TcpClient client = new("127.0.0.1", _port);
        using NetworkStream stream = client.GetStream();
        stream.ReadExactly(new byte[18]);
        stream.Write([0, 0, 0, 3]);
        byte[] startTls = [.. "IHAVEOPT"u8, 0, 0, 0, 5, 0, 0, 0, 0];
        byte[] list = [.. "IHAVEOPT"u8, 0, 0, 0, 3, 0, 0, 0, 0];
        stream.Write([.. startTls, .. list]);
        byte[] reply = new byte[20];
        stream.ReadExactly(reply);
        Assert.Equal(1, reply[15]);
        byte[] rest = new byte[64];
        int count = 0;
        try
        {
            for (int one = 1; one > 0 && count < rest.Length; count += one)
                one = stream.Read(rest, count, rest.Length - count);
        }
        catch (IOException)
        {
            // It is reset: as good an end.
        }
        Assert.DoesNotContain((byte)'d', rest.AsSpan(0, count).ToArray()); // of "disk"; a TLS alert has seven bytes
        Assert.InRange(count, 0, 7);
        Assert.Contains("could not agree on TLS", End(server));
    }

    [Fact]
    public void Allowed_AClientChooses()
    {
        using RunningProgram server = Serve("allow");
        Assert.Contains("with TLS", Info(0, Uri("disk", "pki")));
        Assert.Contains("without TLS", Info(0, $"nbd://{_address}/disk"));
        Run("compare", $"nbd://{_address}/disk", Uri("disk", "pki")).Expect(0);
        _ = End(server);
    }

    [Fact]
    public void QemuAndNbdkit_AreReadAndWritten_WithTls()
    {
        Requires.Command("nbdkit");
        string socket = _folder["s"];
        string[] arguments =
        [
            "-f",
            "-U",
            socket,
            "--tls=require",
            $"--tls-certificates={_folder["pki"]}",
            "--tls-verify-peer",
            "file",
            "other.img",
        ];
        using RunningProgram nbdkit = new(_folder.Path, "nbdkit", arguments);
        Eventually.True(() => File.Exists(socket));
        string uri = $"nbds+unix:///?socket={socket}&tls-certificates=";
        Run("backup", "disk.img", uri + _folder["pki"], "--force").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["other.img"]);
        Run("backup", uri + _folder["other"], "none.img").Expect(1).ExpectSentence("signed by nobody who is trusted");
        Run("backup", uri + _folder["pki"] + "&tls-hostname=elsewhere", "none.img")
            .Expect(1)
            .ExpectSentence("certificate is not for 'elsewhere'");
        Run("backup", uri + _folder["nowhere"], "none.img").Expect(1).ExpectSentence("ca-cert.pem' is missing");
    }

    [Fact]
    public void AServerWithoutTls_IsNotReadInTheClear()
    {
        Requires.Command("qemu-nbd");
        string socket = _folder["s"];
        using RunningProgram peer = new(_folder.Path, "qemu-nbd", ["-f", "raw", "-t", "-k", socket, "disk.img"]);
        Eventually.True(() => File.Exists(socket));
        Run("backup", $"nbds+unix:///?socket={socket}", "none.img").Expect(1).ExpectSentence("offers no TLS");
    }

    [Fact]
    public void QemuImg_ReadsOurExport_WithTls()
    {
        Requires.Command("qemu-img");
        using RunningProgram server = Serve("require");
        string credentials = $"tls-creds-x509,id=t,dir={_folder["pki"]},endpoint=client";
        string disk = $"driver=nbd,host=localhost,port={_port},export=disk,tls-creds=t";
        using RunningProgram compare = new(
            _folder.Path,
            "qemu-img",
            [
                "compare",
                "--object",
                credentials,
                "--image-opts",
                disk,
                $"driver=raw,file.filename={_folder["disk.img"]}",
            ]
        );
        Assert.Contains("identical", compare.Wait().Expect(0).Output);
        _ = End(server);
    }

    RunningProgram Serve(string rule, params string[] more)
    {
        RunningProgram server = Programs.StartFastbackup(
            _folder.Path,
            [
                "serve",
                "disk.img",
                "other.img",
                "--listen",
                _address,
                "--tls",
                rule,
                "--tls-certificates",
                "pki",
                .. more,
            ]
        );
        Eventually.True(() => server.Said.Contains("Ctrl-C", StringComparison.Ordinal));
        return server;
    }

    static string End(RunningProgram server)
    {
        server.Signal("INT");
        ProgramResult result = server.Wait().Expect(0);
        return result.Output + result.Error;
    }

    ProgramResult Run(params string[] arguments) => Programs.Fastbackup(_folder.Path, arguments);

    string Info(int exitCode, params string[] arguments)
    {
        using RunningProgram tool = new(_folder.Path, "nbdinfo", arguments);
        ProgramResult result = tool.Wait().Expect(exitCode);
        return result.Output + result.Error;
    }

    void MakeAuthority(string folder, string name)
    {
        Directory.CreateDirectory(_folder[folder]);
        OpenSsl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30",
            ["-subj", $"/CN={name}", "-keyout", $"{folder}/ca-key.pem", "-out", $"{folder}/ca-cert.pem"]
        );
    }

    void MakeCertificate(string folder, string side, string name, string extensions)
    {
        string at = $"{folder}/{side}";
        File.WriteAllText(_folder[at + ".ext"], extensions);
        OpenSsl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes",
            ["-subj", $"/CN={name}", "-keyout", $"{at}-key.pem", "-out", $"{at}.csr"]
        );
        OpenSsl(
            $"x509 -req -days 30 -CAcreateserial -in {at}.csr -out {at}-cert.pem",
            ["-CA", $"{folder}/ca-cert.pem", "-CAkey", $"{folder}/ca-key.pem", "-extfile", $"{at}.ext"]
        );
    }

    void OpenSsl(string words, string[] more)
    {
        using RunningProgram tool = new(_folder.Path, "openssl", [.. words.Split(' '), .. more]);
        tool.Wait().Expect(0);
    }
}
