// How words on ctl's command line become arguments: what is guessed, and how not to have it guessed.
using System.Text.Json.Nodes;
using FastBackup.Cli;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class CommandArgumentsTests
{
    [Theory]
    [InlineData("a=text", """{"a":"text"}""")]
    [InlineData("a=1", """{"a":1}""")]
    [InlineData("a=true", """{"a":true}""")]
    [InlineData("a=null", """{"a":null}""")]
    [InlineData("a=", """{"a":""}""")]
    [InlineData("a=[1,{\"b\":2}]", """{"a":[1,{"b":2}]}""")]
    [InlineData("a==1", """{"a":"1"}""")]
    [InlineData("a==true", """{"a":"true"}""")]
    [InlineData("a==", """{"a":""}""")]
    [InlineData("a===", """{"a":"="}""")]
    [InlineData("a==b=c", """{"a":"b=c"}""")]
    [InlineData("a:=1", """{"a":1}""")]
    [InlineData("a:=\"1\"", """{"a":"1"}""")]
    [InlineData("a.b.c=1", """{"a":{"b":{"c":1}}}""")]
    [InlineData("filename=/a:b=c", """{"filename":"/a:b=c"}""")]
    [InlineData("speed=100MiB", """{"speed":104857600}""")]
    [InlineData("speed=1.5K", """{"speed":1536}""")]
    [InlineData("speed=fast", """{"speed":"fast"}""")]
    [InlineData("speed==100MiB", """{"speed":"100MiB"}""")]
    [InlineData("x-perf.min-cluster-size=64KiB", """{"x-perf":{"min-cluster-size":65536}}""")]
    [InlineData("job-id=100M", """{"job-id":"100M"}""")] // only where bytes are meant
    public void Word_IsThisArgument(string word, string json)
    {
        Assert.Null(CommandArguments.TryRead([word], out CommandArguments arguments));
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(json), arguments.Json), arguments.Json.ToJsonString());
    }

    [Theory]
    [InlineData("a", "'a' is not key=value")]
    [InlineData("=1", "'=1' is not key=value")]
    [InlineData("==1", "'==1' is not key=value")]
    [InlineData(":=1", "':=1' is not key=value")]
    [InlineData("a.=1", "to no key")]
    [InlineData("a:=text", "has no JSON behind ':='; write a==text to send it as text")]
    public void WrongWord_IsRefused(string word, string what) =>
        Assert.Contains(what, CommandArguments.TryRead([word], out _));

    [Fact]
    public void Hint_IsGivenWhereAGuessWasWrong()
    {
        Assert.Null(CommandArguments.TryRead(["id=7", "name==8", "on=true"], out CommandArguments arguments));
        Assert.Equal(
            "; write id==7 to send it as text",
            arguments.Hint("Invalid parameter type for 'id', expected: string")
        );
        Assert.Equal("", arguments.Hint("Invalid parameter type for 'name', expected: string"));
        Assert.Equal("", arguments.Hint("Invalid parameter type for 'on', expected: integer"));
    }
}
