"""The same calls on moto and on a sandbox, where the two answer differently.

Reads two lines on stdin: what moto_rig.py said, and a sandbox's ready line. Says on stdout, as JSON, each call with
both answers, in the words of the table in docs/moto.md.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

NOBODY = "i-0ffffffffffffffff"
ROWS = []


class Aws:
    """One of the two, with a running instance of its own."""

    def __init__(self, ready):
        self.ready = ready
        self.ec2, self.elb = (self.client(name, ready["credentials"]["secret_access_key"]) for name in ("ec2", "elbv2"))
        self.group = ready["target_groups"]["b"]
        self.running = self.launch("running")
        self.ec2.get_waiter("instance_running").wait(InstanceIds=self.running, WaiterConfig={"Delay": 1})

    def client(self, service, secret):
        return boto3.client(
            service, endpoint_url=self.ready["aws"], region_name=self.ready["region"],
            aws_access_key_id=self.ready["credentials"]["access_key_id"], aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def launch(self, token, least=1, most=1, **more):
        template = {"LaunchTemplateId": self.ready["launch_template"]}
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": token}]}]
        arguments = {"ImageId": self.ready["images"]["2"], "SubnetId": self.ready["subnets"][0]} | more
        launched = self.ec2.run_instances(
            LaunchTemplate=template, MinCount=least, MaxCount=most, ClientToken=token, TagSpecifications=tags, **arguments
        )
        return [instance["InstanceId"] for instance in launched["Instances"]]

    def health(self):
        described = self.elb.describe_target_health(TargetGroupArn=self.group)["TargetHealthDescriptions"]
        return [one["TargetHealth"]["State"] for one in described]

    def targets(self, call, *targets):
        call(TargetGroupArn=self.group, Targets=list(targets))

    def forward(self, group, weight):
        groups = [{"TargetGroupArn": self.ready["target_groups"]["a"]}, {"TargetGroupArn": group, "Weight": weight}]
        actions = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
        self.elb.modify_listener(ListenerArn=self.ready["listener_arn"], DefaultActions=actions)


def row(call):
    """The call's name in the table, and the function that makes it and says in a word what came."""
    return lambda made: ROWS.append((call, made))


@row("`RunInstances` twice with one `ClientToken`")
def _(aws):
    return "the same instance" if aws.launch("twice") == aws.launch("twice") else "another instance"


@row("`RunInstances` with a known `ClientToken` and another count")
def _(aws):
    aws.launch("count")
    return aws.launch("count", most=2) and "launched"


@row("`RunInstances` with the `ClientToken` of a terminated instance")
def _(aws):
    aws.ec2.terminate_instances(InstanceIds=aws.launch("spent"))
    return aws.launch("spent") and "launched"


@row("`RunInstances` with `MinCount` 1 and `MaxCount` 3")
def _(aws):
    return f"{len(aws.launch('three', most=3))} launched"


@row("`RunInstances` of an AMI that is not there")
def _(aws):
    return aws.launch("no-image", ImageId="ami-0ffffffffffffffff") and "launched"


@row("an instance right after its launch")
def _(aws):
    described = aws.ec2.describe_instances(InstanceIds=aws.launch("state"))
    return described["Reservations"][0]["Instances"][0]["State"]["Name"]


@row("`DescribeInstances` of a launch of nine with `MaxResults` 5")
def _(aws):
    aws.launch("nine", least=9, most=9)
    mine = [{"Name": "tag:Name", "Values": ["nine"]}]
    page = aws.ec2.describe_instances(Filters=mine, MaxResults=5)["Reservations"]
    return f"{sum(len(one['Instances']) for one in page)} on a page"


@row("`DescribeInstances` with the filter `client-token`")
def _(aws):
    aws.launch("filtered")
    found = aws.ec2.describe_instances(Filters=[{"Name": "client-token", "Values": ["filtered"]}])
    return f"{len(found['Reservations'])} found"


@row("`DescribeLaunchTemplates` of one that is not there")
def _(aws):
    found = aws.ec2.describe_launch_templates(LaunchTemplateIds=["lt-0ffffffffffffffff"])
    return f"{len(found['LaunchTemplates'])} found"


@row("`CreateTags` on an instance that is not there")
def _(aws):
    return aws.ec2.create_tags(Resources=[NOBODY], Tags=[{"Key": "a", "Value": "b"}]) and "tagged"


@row("`StartInstances` of a terminated instance")
def _(aws):
    ended = aws.launch("ended")
    aws.ec2.terminate_instances(InstanceIds=ended)
    return aws.ec2.start_instances(InstanceIds=ended)["StartingInstances"][0]["CurrentState"]["Name"]


@row("a call that is signed with a wrong secret")
def _(aws):
    return aws.client("ec2", "wrong").describe_subnets() and "answered"


@row("`RegisterTargets` of an instance that is not there")
def _(aws):
    aws.targets(aws.elb.register_targets, {"Id": NOBODY})
    aws.targets(aws.elb.deregister_targets, {"Id": NOBODY})
    return "registered"


@row("`DeregisterTargets` of an instance that is not in")
def _(aws):
    aws.targets(aws.elb.deregister_targets, {"Id": aws.running[0]})
    return "taken out"


@row("a target right after `RegisterTargets`")
def _(aws):
    aws.targets(aws.elb.register_targets, {"Id": aws.running[0]})
    return " ".join(aws.health())


@row("a target right after `DeregisterTargets`")
def _(aws):
    aws.targets(aws.elb.deregister_targets, {"Id": aws.running[0]})
    return " ".join(aws.health()) or "gone"


@row("`RegisterTargets` of one instance on two ports")
def _(aws):
    aws.targets(aws.elb.register_targets, *({"Id": aws.running[0], "Port": port} for port in (8080, 8081)))
    return f"{len(aws.health())} in the group"


@row("`ModifyListener` with a weight of 1000")
def _(aws):
    aws.forward(aws.group, 1000)
    return "accepted"


@row("`ModifyListener` with a group that is not there")
def _(aws):
    aws.forward(aws.group.rsplit("/", 1)[0] + "/ffffffffffffffff", 1)
    return "accepted"


@row("`DescribeVpcs`, which Segue never calls")
def _(aws):
    return aws.ec2.describe_vpcs() and "answered"


@row("`CreateTargetGroup`, which Segue never calls")
def _(aws):
    vpc = aws.ec2.describe_subnets()["Subnets"][0]["VpcId"]
    return aws.elb.create_target_group(Name="more", Protocol="HTTP", Port=80, VpcId=vpc) and "created"


def said(made, aws):
    try:
        return made(aws)
    except ClientError as error:
        return error.response["Error"]["Code"]
    except ResponseParserError:
        return "500 and HTML"


moto, sandbox = (Aws(json.loads(sys.stdin.readline())) for _ in range(2))
print(json.dumps([[call, said(made, moto), said(made, sandbox)] for call, made in ROWS]))
