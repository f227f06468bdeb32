"""Creates in moto what a sandbox has from the beginning, and says what it is called.

    moto_rig.py URL

Prints one line of JSON with the names that a sandbox's ready line uses: images by version, launch template, subnets,
a load balancer whose listener forwards by weight to two colour groups, a route slot's rule, a running server.
"""

import json
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

URL, SERVICE, REGION = sys.argv[1], "boards", "eu-west-1"
KEYS = {"access_key_id": "sandbox", "secret_access_key": "sandbox"}
SESSION = boto3.Session(
    aws_access_key_id=KEYS["access_key_id"], aws_secret_access_key=KEYS["secret_access_key"], region_name=REGION
)
CONFIG = Config(retries={"total_max_attempts": 1})
EC2 = SESSION.client("ec2", endpoint_url=URL, config=CONFIG)
ELB = SESSION.client("elbv2", endpoint_url=URL, config=CONFIG)


def wait():
    """It may have been started a moment ago."""
    for _ in range(300):
        try:
            return EC2.describe_vpcs()
        except EndpointConnectionError:
            time.sleep(0.1)
    raise SystemExit(f"nobody answers at {URL}")


def tagged(kind, **tags):
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def image(version):
    root = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}
    made = EC2.register_image(
        Name=f"{SERVICE}-{version}", RootDeviceName="/dev/xvda", BlockDeviceMappings=[root]
    )["ImageId"]
    # moto leaves the tags of RegisterImage out.
    tags = tagged("image", service=SERVICE, releaseVersion=version, commit=f"commit-{version}")[0]["Tags"]
    EC2.create_tags(Resources=[made], Tags=tags)
    return made


def group(name, vpc):
    made = ELB.create_target_group(
        Name=f"{SERVICE}-{name}", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="instance", HealthCheckPath="/health"
    )
    return made["TargetGroups"][0]["TargetGroupArn"]


def forward(**weights):
    groups = [{"TargetGroupArn": groups_by_name[name], "Weight": weight} for name, weight in weights.items()]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]


wait()
subnets = EC2.describe_subnets()["Subnets"][:3]
vpc = subnets[0]["VpcId"]
ids = [subnet["SubnetId"] for subnet in subnets]
images = {version: image(version) for version in ("1", "2")}
template = EC2.create_launch_template(
    LaunchTemplateName=SERVICE, LaunchTemplateData={"InstanceType": "m7i.large"}
)["LaunchTemplate"]["LaunchTemplateId"]
groups_by_name = {name: group(name, vpc) for name in ("a", "b", "s01")}
balancer = ELB.create_load_balancer(Name=SERVICE, Subnets=ids, Type="application")["LoadBalancers"][0]
listener = ELB.create_listener(
    LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=forward(a=100, b=0)
)["Listeners"][0]
srv = {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "srv", "Value": "s01"}]}}
ELB.create_rule(ListenerArn=listener["ListenerArn"], Conditions=[srv], Priority=1, Actions=forward(s01=1))


def server(**tags):
    specifications = {"TagSpecifications": tagged("instance", **tags)} if tags else {}
    made = EC2.run_instances(
        LaunchTemplate={"LaunchTemplateId": template}, ImageId=images["1"], SubnetId=ids[0], MinCount=1, MaxCount=1,
        **specifications,
    )
    return made["Instances"][0]["InstanceId"]


print(json.dumps({
    "aws": URL, "region": REGION, "credentials": KEYS, "service": SERVICE, "images": images, "launch_template": template,
    "subnets": ids, "load_balancer_arn": balancer["LoadBalancerArn"], "listener_arn": listener["ListenerArn"],
    "target_groups": {name: groups_by_name[name] for name in ("a", "b")},
    "slots": [{"value": "s01", "target_group": groups_by_name["s01"]}],
    "blue": [server(**{"segue:service": SERVICE, "segue:version": "1"})],
    "stranger": server(),
}))
